internal import Testing

@testable internal import WeirCLI

@Suite struct LayoutTests {
    private typealias Column = TableLayout.Column

    /// A name of 30 characters, numbers of 8 that are dropped in order 2 and 1, and a bar.
    private static let columns = [
        Column(natural: 30, usual: 20, least: 6, drop: nil, isText: true),
        Column(natural: 8, usual: 8, least: 8, drop: 2, isText: true),
        Column(natural: 8, usual: 8, least: 8, drop: 1, isText: true),
        Column(natural: 16, usual: 5, least: 5, drop: 3, isText: false),
    ]

    @Test(
        "A table shortens names, then drops columns in order, then shortens names further",
        arguments: [
            (nil, [30, 8, 8, 16]), (68, [30, 8, 8, 16]), (67, [30, 8, 8, 15]),
            (57, [30, 8, 8, 5]), (56, [29, 8, 8, 5]), (47, [20, 8, 8, 5]),
            (46, [29, 8, nil, 5]), (37, [20, 8, nil, 5]), (36, [29, nil, nil, 5]),
            (27, [20, nil, nil, 5]), (26, [26, nil, nil, nil]), (6, [6, nil, nil, nil]),
            (5, [6, nil, nil, nil]), (0, [6, nil, nil, nil]),
        ] as [(Int?, [Int?])])
    func layout(limit: Int?, widths: [Int?]) {
        #expect(TableLayout.widths(Self.columns, limit: limit) == widths)
    }

    @Test("Space is given to the narrowest name first")
    func shares() {
        let names = [
            Column(natural: 40, usual: 20, least: 6, drop: nil, isText: true),
            Column(natural: 10, usual: 10, least: 6, drop: nil, isText: true),
        ]
        #expect(TableLayout.widths(names, limit: 42) == [30, 10])
        #expect(TableLayout.widths(names, limit: 20) == [9, 9])
        #expect(TableLayout.widths([], limit: 10) == [])
    }

    @Test("Every width up to 200 holds the table, from the least widths on")
    func fits() {
        for limit in 6...200 {
            let widths = TableLayout.widths(Self.columns, limit: limit).compactMap(\.self)
            let total = widths.reduce(0, +) + 2 * (widths.count - 1)
            #expect(total <= limit, "\(limit)")
        }
    }

    @Test(
        "A name is shortened in its middle, because names often end in a version",
        arguments: [
            ("model", 5, "model"), ("model-v12", 8, "mode…v12"), ("model-v12", 7, "mod…v12"),
            ("model-v12", 1, "…"), ("model-v12", 0, ""), ("model-v12", -1, ""), ("", 0, ""),
        ])
    func shortens(name: String, width: Int, shown: String) {
        #expect(Style.shortened(name, to: width) == shown)
    }

    @Test(
        "A bar shows a small share and a missing one",
        arguments: [
            (0, "··········"), (0.001, "▏·········"), (0.01, "▏·········"), (0.05, "▌·········"),
            (0.5, "█████·····"), (0.99, "█████████▉"), (0.9999, "█████████▉"), (1, "██████████"),
        ] as [(Double, String)])
    func bars(share: Double, bar: String) {
        #expect(Style.bar(share, width: 10) == bar)
    }

    @Test(
        "A percentage above 0 is not shown as 0",
        arguments: [(0, "0.00 %"), (1e-9, "<0.01 %"), (0.0001, "0.01 %"), (0.01, "1.00 %")]
            as [(Double, String)])
    func percentages(share: Double, text: String) {
        #expect(Style.percent(share) == text)
    }

    @Test(
        "Wide characters take two columns",
        arguments: [
            ("abc", 3, "abc"), ("日本語", 6, "日本語"), ("日本語", 5, "日…語"), ("日本語", 4, "日…"),
            ("日本語", 1, "…"), ("e\u{301}é", 2, "e\u{301}é"), ("👍👍👍", 5, "👍…👍"), ("", 0, ""),
        ] as [(String, Int, String)])
    func wide(text: String, width: Int, shown: String) {
        #expect(Style.shortened(text, to: width) == shown)
        #expect(Style.shortened(text, to: width).columns <= width)
        var table = Table([.init(title: "A", isName: true), .init(title: "B")])
        table.add([text, "b"])
        #expect(table.text(columns: 12).text.split(separator: "\n").allSatisfy { $0.columns <= 12 })
    }

    @Test(
        "A weight has at most six digits",
        arguments: [
            (1, "1.0"), (0.9, "0.9"), (1.0 / 3, "0.333333"), (0.1 + 0.2, "0.3"), (1e-9, "1e-09"),
            (0.999_999_9, "0.9999999"), (1 - 0x1p-53, "0.9999999999999999"),
            (.nan, "nan"), (1e300, "1e+300"),
        ] as [(Double, String)])
    func weights(weight: Double, text: String) {
        #expect(Style.weight(weight) == text)
    }

    @Test("A page keeps its first lines and its footer, and counts the others")
    func rows() {
        let page = TerminalText(lines: (1...9).map { "\($0)" }.joined(separator: "\n"))
        func lines(_ rows: Int?, footer: Int) -> [String] {
            Screen(columns: 8, rows: rows).fitted(page, footer: footer)
        }
        #expect(lines(nil, footer: 2).count == 9)
        #expect(lines(10, footer: 2) == (1...9).map { "\($0)" })
        #expect(lines(9, footer: 2) == ["1", "2", "3", "4", "5", "… 2 more", "8", "9"])
        #expect(lines(4, footer: 2) == ["… 7 more", "8", "9"])
        #expect(lines(3, footer: 2) == ["… 8 more", "9"])
        #expect(lines(1, footer: 2) == ["… 9 more"])
        #expect(lines(0, footer: 2) == ["… 9 more"])
    }

    @Test("Words are wrapped at the width, with an indentation")
    func words() {
        let screen = Screen(columns: 16, rows: nil)
        #expect(
            screen.words("reason  the weights moved", indent: 8).text
                == "reason  the\n        weights\n        moved")
        #expect(
            screen.words("a sesquipedalian word", indent: 4).text
                == "a sesquipedali\n    an word")
        #expect(Screen.unlimited.words("a  b\u{1b}", indent: 2).text == "a  b\\u{1B}")
        #expect(Screen(columns: 0, rows: 0).words("a b", indent: 2).text == "a\n  b")
    }

    @Test(
        "Control sequences are used only if the terminal understands them and the user wants them",
        arguments: [
            (["TERM": "xterm"], true), (["TERM": "dumb"], false), ([:], false),
            (["TERM": ""], false),
            (["TERM": "vt100", "NO_COLOR": "1"], false), (["TERM": "vt100", "NO_COLOR": ""], true),
            (["TERM": "dumb", "NO_COLOR": ""], false),
        ])
    func control(environment: [String: String], isAllowed: Bool) {
        #expect(Style.allowsControl(environment) == isAllowed)
    }
}
