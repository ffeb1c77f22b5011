internal import Testing

@testable import Traces

@Suite struct TraceContextTests {
    static let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    static func parse(_ text: String) -> TraceContext? {
        TraceContext(parent: Array(text.utf8).span)
    }

    @Test func aParentIsReadAndWritten() throws {
        let context = try #require(Self.parse(Self.valid))
        #expect(context.traceID.hex == "0af7651916cd43dd8448eb211c80319c")
        #expect(context.spanID.hex == "b7ad6b7169203331")
        #expect(context.isSampled)
        #expect(String(decoding: context.parent, as: UTF8.self) == Self.valid)
        #expect(TraceContext(binary: context.binary) == context)
    }
}
