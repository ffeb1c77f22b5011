internal import Messages
internal import Testing

/// Valid and invalid input in protobuf's wire format.
@Suite struct WireFormatTests {
    private static func fields(_ bytes: [UInt8]) throws(MessageError) -> [(Int, WireReader.Value)] {
        var reader = WireReader(bytes[...])
        var fields: [(Int, WireReader.Value)] = []
        while let (number, value) = try reader.next() { fields.append((number, value)) }
        return fields
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var writer = WireWriter()
        writer.varint(value)
        return writer.bytes
    }

    @Test(
        "Every 64-bit number is read as written",
        arguments: DescriptorNumbersTests.boundaries)
    func readsVarints(value: UInt64) throws {
        let bytes = [0x08] + Self.varint(value)
        #expect(bytes.count <= 11)
        #expect(try Self.fields(bytes).map(\.1) == [.number(value, .varint)])
        // Truncated input is an error.
        for count in 1..<bytes.count {
            #expect(throws: MessageError.self) { try Self.fields(Array(bytes.prefix(count))) }
        }
    }

    @Test("Varints with needless bytes are accepted up to ten bytes")
    func limitsVarints() throws {
        let ones = [UInt8](repeating: 0xff, count: 9)
        let zeros = [UInt8](repeating: 0x80, count: 9)
        // The tenth byte has one significant bit; protobuf drops the others.
        #expect(try Self.fields([0x08] + ones + [0x7f]).first?.1 == .number(.max, .varint))
        #expect(try Self.fields([0x08] + zeros + [0x00]).first?.1 == .number(0, .varint))
        for tail in [[0x80, 0x00], [0xff, 0x01]] as [[UInt8]] {
            let error = #expect(throws: MessageError.self) {
                try Self.fields([0x08] + ones + tail)
            }
            #expect(error?.description == "at byte 11, a number has more than ten bytes")
        }
    }

    @Test("Field numbers are from 1 to 536870911", arguments: DescriptorNumbersTests.boundaries)
    func limitsFieldNumbers(number: UInt64) {
        for type in 0..<8 as Range<UInt64> {
            let (key, overflow) = number.multipliedReportingOverflow(by: 8)
            guard !overflow else { continue }
            // Valid for any type: eight bytes, of which the first is also a varint and a length of
            // 0.
            let bytes = Self.varint(key | type) + [UInt8](repeating: 0, count: 8)
            var reader = WireReader(bytes[...])
            let field = try? reader.next()
            let isValid = (1...536_870_911).contains(number) && [0, 1, 2, 5].contains(type)
            #expect((field.map { UInt64($0.number) } == number) == isValid, "\(number) \(type)")
        }
    }

    @Test(
        "Any length past the end is rejected",
        arguments: DescriptorNumbersTests.boundaries)
    func limitsLengths(length: UInt64) {
        let bytes = [0x0a] + Self.varint(length) + [1, 2, 3]
        var reader = WireReader(bytes[...])
        let field = try? reader.next()
        #expect((field != nil) == (length <= 3))
        if length == 3 { #expect(field?.value == .bytes([1, 2, 3])) }
    }

    @Test(
        "A group consists of the bytes between its tags",
        arguments: [
            ([0x13, 0x14], []), ([0x13, 0x18, 0x05, 0x14], [0x18, 0x05]),
            ([0x13, 0x1b, 0x1c, 0x14], [0x1b, 0x1c]),
            ([0x13, 0x0a, 0x01, 0x14, 0x14], [0x0a, 0x01, 0x14]),
            (
                [0x13, 0x0d, 0, 0, 0, 0, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x14],
                [0x0d, 0, 0, 0, 0, 0x09, 0, 0, 0, 0, 0, 0, 0, 0]
            ),
        ] as [([UInt8], [UInt8])])
    func readsGroups(bytes: [UInt8], content: [UInt8]) throws {
        let fields = try Self.fields(bytes + [0x08, 0x07])
        #expect(fields.map(\.0) == [2, 1])
        #expect(fields.first?.1 == .group(content[...]))
    }

    @Test(
        "A group that does not end, or that ends inside another one, is rejected",
        arguments: [
            [0x13], [0x14], [0x13, 0x18], [0x13, 0x1c], [0x13, 0x1b, 0x14], [0x13, 0x1b, 0x1c],
            [0x13, 0x0a, 0x05, 0x14], [0x13, 0x0d, 0x14], [0x13, 0x00, 0x14], [0x13, 0x16, 0x14],
        ] as [[UInt8]])
    func rejectsGroups(bytes: [UInt8]) {
        #expect(throws: MessageError.self) { try Self.fields(bytes) }
    }

    @Test("Groups may nest 100 levels deep, and no deeper", arguments: [1, 100, 101, 1_000_000])
    func limitsGroups(depth: Int) {
        let starts = [UInt8](repeating: 0x13, count: depth)
        let ends = [UInt8](repeating: 0x14, count: depth)
        #expect(((try? Self.fields(starts + ends)) != nil) == (depth <= 100))
        #expect(throws: MessageError.self) { try Self.fields(starts) }
    }
}
