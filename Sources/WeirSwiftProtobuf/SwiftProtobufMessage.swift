public import SwiftProtobuf
public import Weir

/// Wraps a SwiftProtobuf message, so that a handler can receive and return it.
///
/// ```swift
/// Service("pkg.Greeter").unary("SayHello") { (request: Proto<Pkg_HelloRequest>, _) in
///     Proto(Pkg_HelloReply.with { $0.message = "Hello \(request.message.name)" })
/// }
/// ```
@dynamicMemberLookup
public struct Proto<Message: SwiftProtobuf.Message>: WireMessage {
    /// The message itself.
    public var message: Message

    /// Wraps a message.
    public init(_ message: Message) { self.message = message }

    /// The full protobuf name.
    public static var messageName: String? { Message.protoMessageName }

    /// Decodes a message; the bytes are valid during the call.
    public init(serializedBytes: RawSpan) throws(MessageError) {
        do {
            message = try Message(
                serializedBytes: RawMessage(serializedBytes: serializedBytes).bytes)
        } catch {
            throw MessageError("invalid \(Message.protoMessageName): \(error)")
        }
    }

    /// Appends the encoded message.
    public func serialize(appendingTo buffer: inout [UInt8]) throws(MessageError) {
        do {
            let bytes: [UInt8] = try message.serializedBytes()
            buffer += bytes
        } catch {
            throw MessageError("a \(Message.protoMessageName) cannot be encoded: \(error)")
        }
    }

    /// The fields of the wrapped message.
    public subscript<Value>(dynamicMember path: WritableKeyPath<Message, Value>) -> Value {
        get { message[keyPath: path] }
        set { message[keyPath: path] = newValue }
    }
}
