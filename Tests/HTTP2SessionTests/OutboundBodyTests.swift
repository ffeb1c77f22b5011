internal import Testing

@testable internal import HTTP2Session

@Suite struct OutboundBodyTests {
    /// Reads the whole body, `room` bytes at a time.
    private func drained(_ body: inout OutboundBody, room: Int) -> [UInt8] {
        var result: [UInt8] = []
        while body.count > 0 {
            var piece = [UInt8](repeating: 0, count: room)
            let taken = unsafe piece.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                // Invariant: the buffer has `room` bytes.
                return unsafe body.take(into: base, room: room)
            }
            guard taken > 0 else { break }
            result += piece[..<taken]
        }
        return result
    }

    private func append(_ bytes: [UInt8], to body: inout OutboundBody) {
        unsafe body.append(bytes.span.bytes)
    }

    @Test(
        "Own and shared bytes are sent in the order in which they were appended",
        arguments: [1, 7, 2_048, 2_049, 16_384, 1 << 20])
    func keepsOrder(_ room: Int) {
        var body = OutboundBody()
        var expected: [UInt8] = []
        // Sizes around the bound above which pieces are retained, mixed with own bytes.
        for (index, size) in [3, 2_048, 2_049, 5, 70_000, 1, 0, 2_048].enumerated() {
            let piece = [UInt8](repeating: UInt8(index + 1), count: size)
            if index % 3 == 2 { append(piece, to: &body) } else { body.append(shared: piece) }
            expected += piece
            #expect(body.count == expected.count)
        }
        let whole = drained(&body, room: room)
        #expect(whole == expected)
        #expect(body.count == 0)
        // The body can be reused.
        body.append(shared: [9])
        append([8], to: &body)
        let rest = drained(&body, room: room)
        #expect(rest == [9, 8])
    }

    /// The address of an array's elements.
    private static func address(_ bytes: [UInt8]) -> UInt {
        unsafe bytes.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    }

    @Test("Large shared pieces are retained, not copied")
    func shares() {
        let piece = [UInt8](repeating: 1, count: 100_000)
        var bodies = [OutboundBody(), OutboundBody()]
        for index in bodies.indices { bodies[index].append(shared: piece) }
        let address = Self.address(piece)
        for body in bodies {
            let other = body.heldPart.map { Self.address($0) }
            #expect(other == address)
        }
    }

    @Test("A reset discards all bytes")
    func resets() {
        var body = OutboundBody()
        body.append(shared: [UInt8](repeating: 1, count: 10_000))
        append([1], to: &body)
        body.end()
        body.reset()
        #expect(body.count == 0 && !body.hasEnded)
        body.append(shared: [5])
        let rest = drained(&body, room: 10)
        #expect(rest == [5])
    }
}

extension OutboundBody {
    /// The first retained piece.
    fileprivate var heldPart: [UInt8]? {
        Mirror(reflecting: self).children.first { $0.label == "parts" }
            .flatMap { ($0.value as? [[UInt8]])?.first }
    }
}
