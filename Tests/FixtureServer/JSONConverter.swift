internal import FoundationEssentials
internal import Messages
internal import Weir

/// Converts messages by descriptors that the request contains, so that tests can compare Weir's
/// JSON mapping with another implementation.
///
/// A request is JSON: `set` (a descriptor set), `message` (a type), `messages` and `texts` (what to
/// convert to JSON and from JSON), and the flags `names`, `defaults` and `ignore`. Bytes and texts
/// are in base64. A result is a string of base64, or an object with the `error`.
enum JSONConverter {
    static let service = Service("test.JSON").unary("Convert") { (request: RawMessage, _) in
        do throws(MessageError) {
            return RawMessage(try convert(try JSONValue(parsing: request.bytes)).utf8())
        } catch {
            throw RPCError(.invalidArgument, error.description)
        }
    }

    private static func convert(_ request: JSONValue) throws(MessageError) -> JSONValue {
        let transcoder = JSONTranscoder(
            schema: try Schema(descriptorSet: request["set"].bytes),
            printsDefaults: request["defaults"].flag, keepsNames: request["names"].flag,
            ignoresUnknown: request["ignore"].flag)
        let type = request["message"].text
        var printed: [JSONValue] = []
        for message in request["messages"].elements {
            printed.append(
                result { () throws(MessageError) in
                    try transcoder.json(from: message.bytes, message: type).utf8()
                })
        }
        var parsed: [JSONValue] = []
        for text in request["texts"].elements {
            parsed.append(
                result { () throws(MessageError) in
                    let value = try JSONValue(parsing: text.bytes)
                    return try transcoder.bytes(from: value, message: type)
                })
        }
        return .object([("printed", .array(printed)), ("parsed", .array(parsed))])
    }

    private static func result(_ convert: () throws(MessageError) -> [UInt8]) -> JSONValue {
        do throws(MessageError) {
            return .string(Data(try convert()).base64EncodedString())
        } catch {
            return .object([("error", .string(error.description))])
        }
    }
}

extension JSONValue {
    fileprivate subscript(name: String) -> JSONValue {
        guard case .object(let members) = self else { return .null }
        return members.first { $0.key == name }?.value ?? .null
    }

    fileprivate var elements: [JSONValue] {
        if case .array(let values) = self { values } else { [] }
    }

    fileprivate var text: String { if case .string(let text) = self { text } else { "" } }

    fileprivate var bytes: [UInt8] { Data(base64Encoded: text).map { [UInt8]($0) } ?? [] }

    fileprivate var flag: Bool { if case .bool(let flag) = self { flag } else { false } }
}
