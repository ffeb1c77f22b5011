internal import HTTP2Session
internal import Testing
internal import Transport

@testable internal import Upstream

@Suite struct ViaMarkTests {
    private let mark = ViaMark(server: 1)

    private func headers(_ values: [String]) -> HeaderBlock {
        var block = HeaderBlock([":path": "/a.B/C"])
        for value in values {
            block.append(KnownHeader.via.name, value, known: KnownHeader.via.rawValue)
        }
        return block
    }

    @Test("A request whose mark occurs as often as allowed is a loop", arguments: 0...6)
    func countsPasses(passes: Int) {
        let block = headers(Array(repeating: mark.value, count: passes))
        #expect(mark.isForwardingLoop(block) == (passes >= ViaMark.maxPasses))
    }

    @Test("Marks that a proxy has joined are counted individually")
    func readsJoinedFields() {
        #expect(
            mark.isForwardingLoop(
                headers([Array(repeating: mark.value, count: 4).joined(separator: ", ")])))
        #expect(
            mark.isForwardingLoop(headers(["\(mark.value),\(mark.value)", mark.value, mark.value])))
    }

    @Test("The marks of other servers, and other texts, do not count")
    func ignoresOthers() {
        let others = [
            ViaMark(server: 2).value, ViaMark(server: .max).value, "", ",,,,", "\(mark.value)0",
            String(mark.value.dropLast()),
            String(repeating: "a", count: 65_536),
        ]
        #expect(!mark.isForwardingLoop(headers(others.flatMap { Array(repeating: $0, count: 5) })))
    }

    @Test("A mark has 16 hexadecimal digits", arguments: [UInt64.min, 1, 12_345, .max])
    func hasFixedLength(server: UInt64) {
        let value = ViaMark(server: server).value
        #expect(value.utf8.count == 16)
        #expect(UInt64(value, radix: 16) != nil)
    }
}
