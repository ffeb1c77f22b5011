internal import MessageYAML
internal import Messages

/// An error in a file that an argument names. The command line itself is valid, so no usage text
/// follows.
struct FileError: Error {
    let description: String
}

/// A YAML or JSON file that an argument names. Its errors are shown without a usage text.
struct YAMLFile {
    private let document: YAMLDocument

    /// - Parameter path: '-' is standard input.
    init(_ path: String) throws {
        guard let text = String(validating: try Self.contents(of: path), as: UTF8.self) else {
            throw FileError(description: "invalid UTF-8 in '\(path)'")
        }
        document = try Self.valid { () throws(MessageError) in
            try YAMLDocument(
                text, name: path == "-" ? "standard input" : path, fields: RolloutPlanFile.fields)
        }
    }

    static func contents(of path: String) throws -> [UInt8] {
        do throws(InputFile.Failure) {
            return try InputFile.contents(of: path)
        } catch {
            throw FileError(description: error.description)
        }
    }

    /// - Parameter rewrite: converts short forms of values to those of the message.
    func message<Message: ProtobufMessage>(
        as type: Message.Type = Message.self,
        _ rewrite: (JSONValue) throws(MessageError) -> JSONValue = { $0 }
    ) throws -> Message {
        try Self.valid { () throws(MessageError) in try document.message(as: type, rewrite) }
    }

    /// Adds the file and the line of a field to an error.
    ///
    /// - Parameter path: `backends[0].upstream.addresses`
    func located(_ path: String, _ reason: String) -> String { document.located(path, reason) }

    private static func valid<Value>(_ body: () throws(MessageError) -> Value) throws -> Value {
        do throws(MessageError) {
            return try body()
        } catch {
            throw FileError(description: error.description)
        }
    }
}
