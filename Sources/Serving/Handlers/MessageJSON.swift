internal import GRPCWire
internal import Messages
internal import Synchronization

/// Converts the messages of one method from and to JSON, for calls with the content type
/// `application/grpc+json`: the framing is gRPC's, each message is in proto3's JSON format.
///
/// The first such call loads the descriptors. Other calls do not take the lock.
final class MessageJSON: Sendable {
    private let request: any WireMessage.Type
    private let reply: any WireMessage.Type
    private let descriptorSet: [UInt8]?
    private let loaded = Mutex<JSONTranscoder?>(nil)

    init(
        request: any WireMessage.Type, reply: any WireMessage.Type, descriptorSet: [UInt8]?
    ) {
        self.request = request
        self.reply = reply
        self.descriptorSet = descriptorSet
    }

    /// The protobuf of a request in JSON. Throws INVALID_ARGUMENT with the name of the field.
    func request(from json: [UInt8]) throws(RPCError) -> [UInt8] {
        let (transcoder, name) = try transcoder(for: request)
        do throws(MessageError) {
            let value = try JSONValue(parsing: json)
            return try transcoder.bytes(from: value, message: name)
        } catch {
            throw RPCError(.invalidArgument, error.description)
        }
    }

    /// A reply in JSON, including fields with default values.
    func json(of bytes: [UInt8]) throws(RPCError) -> [UInt8] {
        let (transcoder, name) = try transcoder(for: reply)
        do throws(MessageError) {
            return try transcoder.json(from: bytes, message: name).utf8()
        } catch {
            throw RPCError(.internalError, "the reply cannot be encoded: \(error)")
        }
    }

    private func transcoder(
        for type: any WireMessage.Type
    ) throws(RPCError) -> (JSONTranscoder, name: String) {
        let transcoder = loadedTranscoder()
        guard let name = type.messageName, transcoder.knows(name) else {
            throw RPCError(
                .unimplemented,
                "the server has no descriptor of the method's messages: send protobuf")
        }
        return (transcoder, name)
    }

    private func loadedTranscoder() -> JSONTranscoder {
        loaded.withLock { loaded in
            if let loaded { return loaded }
            var schema = Schema()
            if let descriptorSet { try? schema.add(descriptorSet: descriptorSet) }
            for case let type as any ProtobufMessage.Type in [request, reply] {
                try? schema.add(type._file)
            }
            let transcoder = JSONTranscoder(schema: schema, printsDefaults: true)
            loaded = transcoder
            return transcoder
        }
    }
}
