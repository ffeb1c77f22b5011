internal import Messages
internal import SystemPackage
internal import Transport

/// Answers protobuf's `conformance_test_runner` on standard input and output: converts messages
/// between protobuf and JSON. Numbers in the code are the field numbers of `conformance.proto`.
///
///     ConformanceTestee FILE    a descriptor set with the messages of the tests
@main
enum ConformanceTestee {
    private enum Format {
        static let protobuf: Int32 = 1
        static let json: Int32 = 2
    }

    /// `JSON_IGNORE_UNKNOWN_PARSING_TEST`.
    private static let ignoringCategory: Int32 = 3

    private enum Result {
        case parseError(String)
        case serializeError(String)
        case protobuf([UInt8])
        case json([UInt8])
        case skipped(String)

        var response: [UInt8] {
            var writer = WireWriter()
            switch self {
            case .parseError(let text): writer.field(1, bytes: text.utf8)
            case .serializeError(let text): writer.field(6, bytes: text.utf8)
            case .protobuf(let bytes): writer.field(3, bytes: bytes)
            case .json(let bytes): writer.field(4, bytes: bytes)
            case .skipped(let text): writer.field(5, bytes: text.utf8)
            }
            return writer.bytes
        }
    }

    static func main() throws {
        guard CommandLine.arguments.count == 2 else {
            throw MessageError("usage: ConformanceTestee DESCRIPTOR_SET")
        }
        let file = try FileDescriptor.open(FilePath(CommandLine.arguments[1]), .readOnly)
        let schema = try Schema(descriptorSet: try file.readAll(limit: 1 << 30) ?? [])
        var input = Input()
        while let size = try input.read(4) {
            let count = size.reversed().reduce(0) { $0 << 8 | Int($1) }
            guard let request = try input.read(count) else { return }
            let response = try answer(try ParsedFields(request[...]), schema).response
            var output: [UInt8] = []
            for shift in [0, 8, 16, 24] {
                output.append(UInt8(truncatingIfNeeded: response.count >> shift))
            }
            try FileDescriptor.standardOutput.writeAll(output + response)
        }
    }

    /// Standard input.
    private struct Input {
        private var buffer: [UInt8] = []

        /// A number of bytes; nil at the end of the input.
        mutating func read(_ count: Int) throws -> [UInt8]? {
            while buffer.count < count {
                let chunk = try FileDescriptor.standardInput.readChunk()
                if chunk.isEmpty { return nil }
                buffer += chunk
            }
            defer { buffer.removeFirst(count) }
            return Array(buffer.prefix(count))
        }
    }

    private static func answer(_ request: ParsedFields, _ schema: Schema) throws -> Result {
        let type = request.text(4)
        if type == "conformance.FailureSet" { return .protobuf([]) }
        let output = request.int32(3)
        let transcoder = JSONTranscoder(
            schema: schema, ignoresUnknown: request.int32(5) == ignoringCategory)
        guard transcoder.knows(type) else { return .skipped("unknown message \(type)") }
        let message: [UInt8]
        if let payload = request.messages(1).last {
            guard output == Format.json else {
                return .skipped("Weir passes protobuf through unchanged")
            }
            message = Array(payload)
            do throws(MessageError) {
                return .json(try transcoder.json(from: message, message: type).utf8())
            } catch {
                return isValid(message, type, schema)
                    ? .serializeError(error.description) : .parseError(error.description)
            }
        }
        guard let json = request.messages(2).last else {
            return .skipped("the format of the input")
        }
        do throws(MessageError) {
            message = try transcoder.bytes(
                from: try JSONValue(parsing: Array(json)), message: type)
        } catch {
            return .parseError(error.description)
        }
        guard output == Format.json else {
            return output == Format.protobuf ? .protobuf(message) : .skipped("the format")
        }
        do throws(MessageError) {
            return .json(try transcoder.json(from: message, message: type).utf8())
        } catch {
            return .serializeError(error.description)
        }
    }

    /// Whether protobuf is valid, and only its JSON does not exist.
    private static func isValid(_ message: [UInt8], _ type: String, _ schema: Schema) -> Bool {
        let describing = JSONTranscoder(schema: schema, describesInvalid: true)
        return (try? describing.json(from: message, message: type)) != nil
    }
}
