internal import Testing

@testable internal import Upstream

@Suite struct OutputLinesTests {
    private func lines(of pieces: [String]) -> [String] {
        var splitter = OutputLines()
        var lines: [String] = []
        for piece in pieces { splitter.append(Array(piece.utf8)) { lines.append($0) } }
        splitter.finish { lines.append($0) }
        return lines
    }

    @Test("Lines are the same in pieces of any size")
    func splits() {
        let text = "one\r\n\ntwo ü\nlast"
        let expected = ["one", "", "two ü", "last"]
        #expect(lines(of: [text]) == expected)
        #expect(lines(of: text.unicodeScalars.map { String($0) }) == expected)
        #expect(lines(of: ["a\n"]) == ["a"])
        #expect(lines(of: []) == [])
    }

    @Test("A line without a line end is split at the bound")
    func limitsLines() {
        let long = String(repeating: "x", count: OutputLines.maxLineBytes + 1)
        #expect(lines(of: [long]).map(\.count) == [OutputLines.maxLineBytes, 1])
    }
}
