package import Messages

/// One binding of a method to an HTTP method and a path, by the option `google.api.http`.
///
/// Numbers in the code are the field numbers of `google/api/http.proto`.
package struct HTTPRule: Equatable, Sendable {
    /// The part of the request message that the body contains.
    package enum Body: Equatable, Sendable {
        case none
        /// All fields that the path does not bind.
        case whole
        /// The field with this name.
        case field(String)
    }

    /// In upper case, or `*` for all methods.
    package let method: String
    package let template: PathTemplate
    package let body: Body
    /// The field whose value is the response body; nil for the whole message.
    package let responseBody: String?

    /// The most bindings of one method.
    package static let maximumCount = 64
    /// The extension of `MethodOptions`.
    private static let optionNumber = 72_295_728
    private static let patterns = [2: "GET", 3: "PUT", 4: "POST", 5: "DELETE", 6: "PATCH"]
    private static let customPattern = 8

    /// The bindings of a method; empty without the option. An error states what is invalid.
    ///
    /// - Parameter options: a serialized `MethodOptions`, in pieces.
    package static func all(
        in options: [ArraySlice<UInt8>]
    ) throws(MessageError) -> [HTTPRule] {
        var pieces: [ArraySlice<UInt8>] = []
        for piece in options { pieces += try ParsedFields(piece).messages(optionNumber) }
        guard !pieces.isEmpty else { return [] }
        // Several occurrences of a message field are one message in pieces.
        let bytes = pieces.count == 1 ? pieces[0] : pieces.flatMap(\.self)[...]
        let more = try ParsedFields(bytes).messages(11)
        guard more.count < maximumCount else {
            throw MessageError("it has more than \(maximumCount) bindings")
        }
        var rules = [try HTTPRule(bytes)]
        for binding in more {
            guard try ParsedFields(binding).messages(11).isEmpty else {
                throw MessageError("a binding of additional_bindings has additional_bindings")
            }
            rules.append(try HTTPRule(binding))
        }
        return rules
    }

    private init(_ bytes: ArraySlice<UInt8>) throws(MessageError) {
        let (method, path) = try Self.pattern(in: bytes)
        self.method = method
        do throws(PathTemplate.Invalid) {
            template = try PathTemplate(path)
        } catch {
            throw MessageError(error.description)
        }
        let fields = try ParsedFields(bytes)
        switch fields.text(7) {
        case "": body = .none
        case "*": body = .whole
        case let name: body = .field(name)
        }
        let name = fields.text(12)
        responseBody = name.isEmpty ? nil : name
    }

    /// The method and the path. They are a oneof, so the last counts.
    private static func pattern(
        in bytes: ArraySlice<UInt8>
    ) throws(MessageError) -> (method: String, path: String) {
        var found: (method: String, path: String)?
        var reader = WireReader(bytes)
        while let (number, value) = try reader.next() {
            guard case .bytes(let content) = value else { continue }
            if let method = patterns[number] {
                found = (method, String(decoding: content, as: UTF8.self))
            } else if number == customPattern {
                let custom = try ParsedFields(content)
                found = (custom.text(1), custom.text(2))
            }
        }
        guard let found else {
            throw MessageError("it has none of get, put, post, delete, patch and custom")
        }
        let method = found.method.uppercased()
        let isValid =
            method == "*"
            || !method.isEmpty && method.utf8.count <= 32
                && method.utf8.allSatisfy {
                    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "-")
                }
        guard isValid else {
            throw MessageError(
                "invalid kind '\(found.method.prefix(100))' of a custom pattern: it must be the "
                    + "name of an HTTP method or *")
        }
        return (method, found.path)
    }
}

extension HTTPRule: CustomStringConvertible {
    package var description: String { "\(method) \(template)" }
}
