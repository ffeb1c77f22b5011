internal import ArgumentParser
internal import MessageYAML
internal import Messages

/// A YAML or JSON file that an argument names. Its errors are usage errors.
struct YAMLFile {
    private let document: YAMLDocument

    /// - Parameter path: '-' is standard input.
    init(_ path: String) throws {
        guard let text = String(validating: try Self.contents(of: path), as: UTF8.self) else {
            throw ValidationError("invalid UTF-8 in '\(path)'")
        }
        document = try Self.valid { () throws(MessageError) in
            try YAMLDocument(text, name: path == "-" ? "standard input" : path)
        }
    }

    static func contents(of path: String) throws -> [UInt8] {
        do throws(InputFile.Failure) {
            return try InputFile.contents(of: path)
        } catch {
            throw ValidationError(error.description)
        }
    }

    func message<Message: ProtobufMessage>(as type: Message.Type = Message.self) throws -> Message {
        try Self.valid { () throws(MessageError) in try document.message() }
    }

    /// Adds the file and the line of a field to an error.
    ///
    /// - Parameter path: `backends[0].upstream.addresses`
    func located(_ path: String, _ reason: String) -> String { document.located(path, reason) }

    private static func valid<Value>(_ body: () throws(MessageError) -> Value) throws -> Value {
        do throws(MessageError) {
            return try body()
        } catch {
            throw ValidationError(error.description)
        }
    }
}
