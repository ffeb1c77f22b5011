internal import GRPCWire
internal import Messages

/// The request messages of `weir call`, from its options `--data`: JSON, `@FILE` or `-` for
/// standard input. For a method with a stream of requests, each line of a file is a message.
struct CallData: Sendable {
    private enum Part: Sendable {
        case message([UInt8])
        case lines(LineReader)
    }

    private let encode: @Sendable (JSONValue) throws -> [UInt8]
    private var parts: [Part] = []

    /// Reads and encodes all that is not a stream, so that an error precedes the call.
    init(
        _ values: [String], isStream: Bool,
        _ encode: @escaping @Sendable (JSONValue) throws -> [UInt8]
    ) throws {
        self.encode = encode
        guard values.count(where: { $0 == "-" }) <= 1 else {
            throw FileError(description: "--data - can be given once: it is standard input")
        }
        for value in values {
            if isStream, let path = Self.path(in: value) {
                let (file, name) = try Self.readable { () throws(InputFile.Failure) in
                    try InputFile.open(path)
                }
                parts.append(.lines(LineReader(file, name)))
            } else {
                let content = try Self.content(of: value)
                parts.append(
                    .message(try Self.valid { try encode(try JSONValue(parsing: content)) }))
            }
        }
    }

    /// The number of messages, if no part is a stream.
    var count: Int { parts.count }

    /// A byte order mark, which some editors write.
    private static let mark: [UInt8] = [0xef, 0xbb, 0xbf]

    /// The result of a conversion of --data, whose errors are those of the command line.
    static func valid<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as MessageError {
            throw FileError(description: "invalid --data: \(error.description)")
        }
    }

    /// The bytes of one value of the option.
    static func content(of value: String) throws -> [UInt8] {
        guard let path = path(in: value) else { return Array(value.utf8) }
        let content = try readable { () throws(InputFile.Failure) in
            try InputFile.contents(of: path)
        }
        return content.starts(with: mark) ? Array(content.dropFirst(mark.count)) : content
    }

    /// The path of a file; nil for JSON, which begins with neither of the characters.
    private static func path(in value: String) -> String? {
        value == "-" ? "-" : value.hasPrefix("@") ? String(value.dropFirst()) : nil
    }

    private static func readable<Value>(
        _ body: () throws(InputFile.Failure) -> Value
    ) throws -> Value {
        do throws(InputFile.Failure) {
            return try body()
        } catch {
            throw FileError(description: error.description)
        }
    }

    /// Passes each message to `send`, and lines as soon as they are read.
    func forEach(_ send: ([UInt8]) async throws -> Void) async throws {
        for part in parts {
            switch part {
            case .message(let message): try await send(message)
            case .lines(let reader): try await forEachLine(of: reader, send)
            }
        }
    }

    private func forEachLine(
        of reader: LineReader, _ send: ([UInt8]) async throws -> Void
    ) async throws {
        do {
            while let (place, bytes) = try await reader.next() {
                let message: [UInt8]
                do {
                    message = try encode(try JSONValue(parsing: bytes))
                } catch {
                    throw FileError(description: "\(place): \(error)")
                }
                try await send(message)
            }
        } catch let error as InputFile.Failure {
            throw FileError(description: error.description)
        }
    }
}
