internal import Testing
internal import Transport

@testable internal import Webhooks

@Suite struct WebhookURLTests {
    @Test(
        "A URL has an address, a target and a Host",
        arguments: [
            ("https://a.example/x?y=1", true, "a.example:443", "/x?y=1", "a.example"),
            ("http://a.example", false, "a.example:80", "/", "a.example"),
            ("HTTP://a:8080?q", false, "a:8080", "/?q", "a:8080"),
            ("https://a:80/", true, "a:80", "/", "a:80"),
            ("http://[::1]:9/h", false, "[::1]:9", "/h", "[::1]:9"),
            ("https://[::1]/h", true, "[::1]:443", "/h", "[::1]"),
            ("http://127.0.0.1:65535/", false, "127.0.0.1:65535", "/", "127.0.0.1:65535"),
        ])
    func parses(text: String, isTLS: Bool, address: String, target: String, host: String) throws {
        let url = try WebhookURL(text)
        #expect(url.isTLS == isTLS)
        #expect(url.address.description == address)
        #expect(url.target == target)
        #expect(url.host == host)
        #expect(url.description == text)
    }

    @Test(
        "An invalid URL is rejected with the remedy",
        arguments: [
            ("", "use http:// or https://"), ("a.example", "use http:// or https://"),
            ("ftp://a/", "use http:// or https://"), ("http:/a", "use http:// or https://"),
            ("http://", "use HOST"), ("http:///x", "use HOST"), ("http://:80/", "use HOST"),
            ("http://a:0/", "1 to 65535"), ("http://a:65536/", "1 to 65535"),
            ("http://a:/", "1 to 65535"), ("http://a:x/", "1 to 65535"),
            ("http://a:-1/", "1 to 65535"), ("http://[::1/", "use HOST"),
            ("http://u:p@a/", "remove the user"), ("http://u@a/", "remove the user"),
            ("http://a/#f", "remove the fragment"), ("http://a/ b", "percent-encode"),
            ("http://a/\r\nx: y", "percent-encode"), ("http://a/\u{e9}", "percent-encode"),
            ("http://a/\0", "percent-encode"),
            ("http://a/" + String(repeating: "x", count: 2_048), "more than 2048 bytes"),
        ])
    func rejects(text: String, remedy: String) {
        let error = #expect(throws: WebhookURL.Invalid.self) { try WebhookURL(text) }
        #expect(error?.description.contains(remedy) == true)
    }
}
