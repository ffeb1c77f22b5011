/// A protobuf wire type. Source: protobuf's "Encoding" page.
package enum WireType: Int, Sendable {
    case varint = 0
    case fixed64 = 1
    case bytes = 2
    case startGroup = 3
    case endGroup = 4
    case fixed32 = 5
}

/// Reads protobuf's wire format field by field, without a descriptor.
package struct WireReader {
    /// One field: its number and its value on the wire.
    package enum Value: Hashable {
        case number(UInt64, WireType)
        /// The content of a string, bytes, a message or packed numbers.
        case bytes(ArraySlice<UInt8>)
        /// The content of a group.
        case group(ArraySlice<UInt8>)
    }

    private let input: ArraySlice<UInt8>
    private var position: Int

    package init(_ input: ArraySlice<UInt8>) {
        self.input = input
        position = input.startIndex
    }

    /// The next field, or nil at the end.
    package mutating func next() throws(MessageError) -> (number: Int, value: Value)? {
        guard position < input.endIndex else { return nil }
        let (number, type) = try key()
        switch type {
        case .varint: return (number, .number(try varint(), type))
        case .fixed64: return (number, .number(try fixed(8, number), type))
        case .fixed32: return (number, .number(try fixed(4, number), type))
        case .bytes: return (number, .bytes(try delimited(number)))
        case .startGroup: return (number, .group(try group(number)))
        case .endGroup: throw error("the end of group \(number) has no start")
        }
    }

    private mutating func key() throws(MessageError) -> (number: Int, type: WireType) {
        let key = try varint()
        // At most 2^61 - 1.
        let number = Int(key >> 3)
        guard (1...Schema.Field.maximumNumber).contains(number),
            let type = WireType(rawValue: Int(key & 7))
        else { throw error("invalid key \(key): not a field number and a wire type") }
        return (number, type)
    }

    private mutating func delimited(_ number: Int) throws(MessageError) -> ArraySlice<UInt8> {
        let length = try varint()
        guard length <= UInt64(input.endIndex - position) else {
            throw error("the length of field \(number), \(length) bytes, exceeds the input")
        }
        let end = position + Int(length)
        defer { position = end }
        return input[position..<end]
    }

    /// Reads the content between the tags of a group.
    private mutating func group(_ number: Int) throws(MessageError) -> ArraySlice<UInt8> {
        let start = position
        var open = [number]
        while let innermost = open.last {
            guard position < input.endIndex else { throw error("group \(innermost) is truncated") }
            let end = position
            let (number, type) = try key()
            switch type {
            case .varint: _ = try varint()
            case .fixed64: _ = try fixed(8, number)
            case .fixed32: _ = try fixed(4, number)
            case .bytes: _ = try delimited(number)
            case .startGroup:
                guard open.count < JSONTranscoder.maximumDepth else {
                    throw error("groups nest deeper than \(JSONTranscoder.maximumDepth)")
                }
                open.append(number)
            case .endGroup:
                guard number == innermost else {
                    throw error("group \(number) ends inside group \(innermost)")
                }
                open.removeLast()
                if open.isEmpty { return input[start..<end] }
            }
        }
        throw error("group \(number) is truncated")
    }

    /// The varints of a packed repeated field.
    package mutating func varint() throws(MessageError) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < input.endIndex else { throw error("a number is truncated") }
            let byte = input[position]
            position += 1
            if shift < 64 { result |= UInt64(byte & 0x7f) << shift }
            if byte < 0x80 { return result }
        }
        throw error("a number has more than ten bytes")
    }

    package mutating func fixed(
        _ count: Int, _ number: Int = 0
    ) throws(MessageError) -> UInt64 {
        guard input.endIndex - position >= count else {
            throw error("field \(number) is truncated")
        }
        defer { position += count }
        return input[position..<position + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    package var isAtEnd: Bool { position >= input.endIndex }

    private func error(_ text: String) -> MessageError {
        MessageError("at byte \(position - input.startIndex), \(text)")
    }

    /// The position and the reason at which bytes are not a valid message.
    package static func diagnose(_ bytes: [UInt8]) -> String {
        var reader = WireReader(bytes[...])
        do throws(MessageError) {
            while try reader.next() != nil {}
        } catch {
            return error.description
        }
        return "a field of its \(bytes.count) bytes has the wrong type or is a group"
    }
}

/// Writes protobuf's wire format.
package struct WireWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Appends bytes that are already in wire format.
    package mutating func append(_ encoded: [UInt8]) { bytes += encoded }

    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        // Below 0x80.
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// - Parameter number: from 1 to `Schema.Field.maximumNumber`.
    package mutating func key(_ number: Int, _ type: WireType) {
        varint(UInt64(truncatingIfNeeded: number) << 3 | UInt64(type.rawValue))
    }

    package mutating func field(_ number: Int, varint value: UInt64) {
        key(number, .varint)
        varint(value)
    }

    /// - Parameter type: nil is a varint.
    package mutating func field(_ number: Int, _ bits: UInt64, _ type: WireType?) {
        key(number, type ?? .varint)
        self.number(bits, type)
    }

    /// Writes a number without a key, as in a packed field.
    ///
    /// - Parameter type: nil is a varint.
    mutating func number(_ bits: UInt64, _ type: WireType?) {
        switch type {
        case .fixed64: fixed(bits, byteCount: 8)
        case .fixed32: fixed(bits, byteCount: 4)
        default: varint(bits)
        }
    }

    package mutating func field(_ number: Int, bytes value: some Collection<UInt8>) {
        key(number, .bytes)
        varint(UInt64(value.count))
        bytes += value
    }

    /// Writes a message as a group.
    package mutating func field(_ number: Int, group content: some Collection<UInt8>) {
        key(number, .startGroup)
        bytes += content
        key(number, .endGroup)
    }

    /// Writes a field unchanged.
    package mutating func field(_ number: Int, _ value: WireReader.Value) {
        switch value {
        case .bytes(let bytes): field(number, bytes: bytes)
        case .group(let content): field(number, group: content)
        case .number(let value, let type): field(number, value, type)
        }
    }

    package mutating func fixed(_ value: UInt64, byteCount: Int) {
        for index in 0..<byteCount {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
        }
    }
}
