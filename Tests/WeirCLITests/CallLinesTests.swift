internal import Messages
internal import Testing
internal import Weir

@testable internal import WeirCLI

@Suite struct CallLinesTests {
    private static func call(_ status: String = "OK", backend: String) -> Weir_Admin_V1_CallRecord {
        .init(
            time: .init(seconds: 0), endpoint: "e", backend: backend,
            method: "/a.package.of.another.team.v1.Service/AMethodWithALongName", shadow: true,
            replica: "10.0.0.1:50051", attempts: 1, status: status, message: "日本語",
            durationUs: 1_234, traceId: String(repeating: "a", count: 32))
    }

    @Test("Lines of calls fit the terminal, whatever follows", arguments: [50, 80, 120, 200])
    func lines(columns: Int) {
        var lines = CallText.Lines(columns: columns)
        for call in [Self.call(backend: "b"), Self.call("RESOURCE_EXHAUSTED", backend: "日本語 v2")] {
            let shown = lines.next(call).text.split(separator: "\n")
            #expect(shown.allSatisfy { $0.columns <= columns })
            #expect(shown.last?.contains("1.2 ms") == true)
        }
        let page = CallText.page([Self.call(backend: "b")], columns: columns).text
        #expect(page.split(separator: "\n").allSatisfy { $0.columns <= columns })
    }

    @Test("Without a limit, a column grows with its widest cell")
    func growing() {
        var lines = CallText.Lines()
        _ = lines.next(Self.call(backend: "a-long-name"))
        let next = lines.next(Self.call(backend: "b")).text
        #expect(next.contains("b (shadow)            10.0.0.1:50051"))
        #expect(next.hasSuffix(String(repeating: "a", count: 32)))
    }
}
