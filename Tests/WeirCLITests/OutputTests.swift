internal import Messages
internal import Testing

@testable internal import WeirCLI

@Suite struct OutputTests {
    @Test(
        "JSON is printed without terminal control characters, and keeps its meaning",
        arguments: [
            "\u{1b}[2J", "\u{7f}", "\u{85}", "\u{9b}31m", "\u{202e}abc", "\u{2066}", "\u{2028}",
            "ü\n\t", "😀",
            "\u{feff}", "\u{e0001}\u{e0041}", "\u{200b}",
        ])
    func json(text: String) throws {
        let document = JSONValue.object([(key: text, value: .array([.string(text)]))]).text()
        let escaped = Output.escaped(json: document)
        #expect(
            !escaped.unicodeScalars.contains {
                $0 != "\n"
                    && ($0.properties.generalCategory == .control
                        || $0.properties.isDefaultIgnorableCodePoint)
            })
        #expect(try JSONValue(parsing: escaped).text() == (try JSONValue(parsing: document).text()))
    }

    @Test("Cells of a table are escaped, so that a row is one line")
    func table() {
        var table = Table([("A", .left), ("B\u{1b}", .right)])
        table.add(["x\ny", "\u{1b}[2J"])
        table.add(["\u{202e}", String(repeating: "z", count: 1 << 20)])
        let lines = table.text.text.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("A") && lines[0].hasSuffix("B\\u{1B}"))
        #expect(lines[1].hasPrefix("x\\ny ") && lines[1].hasSuffix(" \\u{1B}[2J"))
        #expect(lines[2].utf8.count < Table.maxCellBytes + 20)
    }

    @Test(
        "A line is cut to columns, but keeps its colours",
        arguments: [
            ("abc", 2, "ab"), ("abc", 3, "abc"), ("", 1, ""),
            ("\u{1b}[1mabc\u{1b}[0m", 2, "\u{1b}[1mab\u{1b}[0m"), ("a\u{1b}[1mb", 0, "\u{1b}[1m"),
        ])
    func cuts(line: String, columns: Int, cut: String) {
        #expect(Screen.cut(line[...], to: columns) == cut)
    }

    @Test("Any figures of a server are shown without a trap")
    func figures() {
        #expect(Style.bar(.nan, width: 4) == "····")
        #expect(Style.bar(.infinity, width: 4) == "████")
        #expect(Style.bar(-1, width: 4) == "····")
        #expect(Style.bar(1, width: 0) == "" && Style.bar(1, width: -1) == "")
        #expect(Style.time(.init(seconds: .max)) == "9223372036854775807 s after 1970")
        #expect(Style.time(.init(seconds: .min)) == "-9223372036854775808 s after 1970")
        #expect(Style.time(.init(seconds: 0)) == "1970-01-01T00:00:00Z")
        #expect(Style.time(.init(seconds: 253_402_300_799)) == "9999-12-31T23:59:59Z")
        #expect(Style.age(.init(seconds: .max)) == "0 s")
        #expect(Style.age(.init(seconds: .min)).hasSuffix(" min"))
    }
}
