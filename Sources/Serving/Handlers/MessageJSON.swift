internal import GRPCWire
internal import Messages
internal import Synchronization

/// The messages of one method as JSON, for calls whose content-type is `application/grpc+json`: the
/// framing is gRPC's, each message is proto3's JSON.
///
/// What it needs to know is read when the first such call comes; the lock is never taken by other
/// calls.
final class MessageJSON: Sendable {
    private let request: any WireMessage.Type
    private let reply: any WireMessage.Type
    private let descriptorSet: [UInt8]?
    private let known = Mutex<JSONTranscoder?>(nil)

    init(
        request: any WireMessage.Type, reply: any WireMessage.Type, descriptorSet: [UInt8]?
    ) {
        self.request = request
        self.reply = reply
        self.descriptorSet = descriptorSet
    }

    /// The bytes of a request given as JSON. Throws INVALID_ARGUMENT, naming the field.
    func request(from json: [UInt8]) throws(RPCError) -> [UInt8] {
        let (transcoder, name) = try form(of: request)
        do throws(MessageError) {
            let value = try JSONValue(parsing: String(decoding: json, as: UTF8.self))
            return try transcoder.bytes(from: value, message: name)
        } catch {
            throw RPCError(.invalidArgument, error.description)
        }
    }

    /// A reply as JSON, fields at their default included.
    func json(of bytes: [UInt8]) throws(RPCError) -> [UInt8] {
        let (transcoder, name) = try form(of: reply)
        do throws(MessageError) {
            return Array(try transcoder.json(from: bytes, message: name).text(indent: 0).utf8)
        } catch {
            throw RPCError(.internalError, "the reply cannot be encoded: \(error)")
        }
    }

    private func form(
        of type: any WireMessage.Type
    ) throws(RPCError) -> (JSONTranscoder, name: String) {
        let transcoder = transcoder()
        guard let name = type.messageName, transcoder.knows(name) else {
            throw RPCError(
                .unimplemented, "the method's messages have no known JSON form: send protobuf")
        }
        return (transcoder, name)
    }

    private func transcoder() -> JSONTranscoder {
        known.withLock { known in
            if let known { return known }
            var schema = Schema()
            if let descriptorSet { try? schema.add(descriptorSet: descriptorSet) }
            for case let type as any ProtobufMessage.Type in [request, reply] {
                try? schema.add(type._file)
            }
            let transcoder = JSONTranscoder(schema: schema, printsDefaults: true)
            known = transcoder
            return transcoder
        }
    }
}
