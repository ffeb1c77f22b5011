internal import Testing

@testable internal import Messages

@Suite struct NameSuggestionTests {
    @Test(
        "The closest name is suggested if it differs in at most a quarter of its bytes",
        arguments: [
            ("modell", "model"), ("modle", "model"), ("MODEL", "model"),
            ("greter-v1", "greeter-v1"),
            ("greeter-v3", "greeter-v1"), ("mod", nil), ("m", nil), ("", nil), ("v9", nil),
            ("completely", nil),
        ] as [(String, String?)])
    func closest(name: String, suggestion: String?) {
        let known = ["model", "greeter-v1", "greeter-v2", "v1"]
        #expect(NameSuggestion.closest(to: name, in: known) == suggestion)
    }

    @Test("Names over 128 bytes are not compared")
    func bounds() {
        let long = String(repeating: "a", count: 128)
        #expect(NameSuggestion.closest(to: long, in: [long]) == long)
        #expect(NameSuggestion.closest(to: long, in: [long + "a"]) == nil)
        #expect(NameSuggestion.closest(to: long + "a", in: [long]) == nil)
    }

    @Test(
        "A distance counts insertions, deletions, replacements and swaps",
        arguments: [
            ("", "", 0), ("a", "", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1),
            ("abcd", "acbd", 1), ("ca", "abc", 3),
        ])
    func distance(from: String, to: String, distance: Int) {
        #expect(NameSuggestion.distance(Array(from.utf8), Array(to.utf8)) == distance)
        #expect(NameSuggestion.distance(Array(to.utf8), Array(from.utf8)) == distance)
    }
}
