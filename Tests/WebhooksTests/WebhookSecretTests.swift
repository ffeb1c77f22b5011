internal import Testing

@testable internal import Webhooks

@Suite struct WebhookSecretTests {
    /// The example of the specification of Standard Webhooks.
    private static let example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private func signature(_ file: String) throws -> String {
        try WebhookSecret(file).signature(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330,
            body: Array(#"{"test": 2432232314}"#.utf8))
    }

    @Test("A signature is that of the specification's example")
    func signs() throws {
        #expect(try signature(Self.example) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("Each secret of a file signs, in order")
    func signsWithAll() throws {
        let other = "whsec_" + String(repeating: "AAAA", count: 8)
        let file = "# new\n\(other)\n\n  \(Self.example) \r\n"
        let signatures = try signature(file).split(separator: " ").map(String.init)
        #expect(signatures == [try signature(other), try signature(Self.example)])
        #expect(signatures[0] != signatures[1])
    }

    @Test(
        "An invalid file is rejected, and the error does not contain it",
        arguments: [
            ("", "0 secrets"), ("# only\n", "0 secrets"), ("secret", "line 1"),
            ("whsec_", "line 1"), ("whsec_" + String(repeating: "A", count: 31), "line 1"),
            ("whsec_" + String(repeating: "A", count: 88), "line 1"),
            ("whsec_!!!!" + String(repeating: "A", count: 32), "line 1"),
            (Array(repeating: example, count: 5).joined(separator: "\n"), "5 secrets"),
            (example + "\nx", "line 2"),
        ])
    func rejects(file: String, problem: String) {
        let error = #expect(throws: WebhookSecret.Invalid.self) { try WebhookSecret(file) }
        #expect(error?.description.contains(problem) == true)
        #expect(error?.description.contains("MfKQ") == false)
    }

    @Test("Keys of 24 and of 64 bytes are valid", arguments: [32, 86])
    func acceptsBounds(digits: Int) throws {
        _ = try WebhookSecret("whsec_" + String(repeating: "A", count: digits))
    }
}
