internal import Messages
internal import Testing

@testable internal import WeirCLI

@Suite struct FleetNoteTests {
    private static func fleet(
        _ others: [String], answering: String? = "a"
    ) -> Weir_Admin_V1_ListInstancesResponse {
        Weir_Admin_V1_ListInstancesResponse(
            instances: (answering.map { [.init(name: $0, answering: true)] } ?? [])
                + others.map { .init(name: $0, adminAddress: "\($0):1") })
    }

    @Test(
        "The note names the other servers with their addresses, at most eight",
        arguments: [
            (fleet([]), nil), (fleet([], answering: nil), nil),
            (
                fleet(["b"]),
                "only the server 'a' was asked; others of its fleet may have calls: 'b' (b:1); ask "
                    + "each with: weir trace x --admin ADDRESS"
            ),
            (
                fleet(["b"], answering: nil),
                "only the server was asked; others of its fleet may have calls: 'b' (b:1); ask "
                    + "each with: weir trace x --admin ADDRESS"
            ),
        ] as [(Weir_Admin_V1_ListInstancesResponse, String?)])
    func text(reply: Weir_Admin_V1_ListInstancesResponse, expected: String?) {
        #expect(FleetNote.text(reply, "calls", "weir trace x")?.text == expected)
    }

    @Test("The note of a large fleet with hostile names is one line of bounded length")
    func bounds() throws {
        let names = (0..<1_000).map { "\($0)\n\u{1b}\(String(repeating: "x", count: 9_999))" }
        let note = try #require(FleetNote.text(Self.fleet(names), "calls", "weir tap e"))
        #expect(note.text.utf8.count < 8_192)
        #expect(note.text.contains("992 more"))
        #expect(!note.text.unicodeScalars.contains(where: { $0.value < 0x20 }))
    }
}
