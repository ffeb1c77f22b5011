internal import GRPCWire
internal import Messages
internal import Synchronization
internal import Transcoding

/// Converts the messages of one method from and to JSON, for calls with the content type
/// `application/grpc+json` and for calls of web protocols: each message is in proto3's JSON format.
///
/// The first such call loads the descriptors. Other calls do not take the lock.
final class MessageJSON: Sendable {
    /// The full names of the messages; nil for types without a name.
    private let request: String?
    private let reply: String?
    private let path: MethodPath
    private let load: @Sendable () -> Schema
    private let loaded = Mutex<Schema?>(nil)
    private let foundBindings = Mutex<MethodBindings?>(nil)

    /// The messages of a handler.
    init(
        request: any WireMessage.Type, reply: any WireMessage.Type, descriptorSet: [UInt8]?,
        path: MethodPath = MethodPath(service: "", method: "")
    ) {
        self.request = request.messageName
        self.reply = reply.messageName
        self.path = path
        load = {
            var schema = Schema()
            if let descriptorSet { try? schema.add(descriptorSet: descriptorSet) }
            for case let type as any ProtobufMessage.Type in [request, reply] {
                try? schema.add(type._file)
            }
            return schema
        }
    }

    /// The messages of a method by a schema.
    init(_ method: Schema.Method, path: MethodPath, _ schema: Schema) {
        request = method.input
        reply = method.output
        self.path = path
        load = { schema }
    }

    /// The bindings of the method in `google.api.http`.
    var bindings: MethodBindings {
        foundBindings.withLock { found in
            if let found { return found }
            let bindings = MethodBindings(of: path, schema)
            found = bindings
            return bindings
        }
    }

    /// Whether a call may change something.
    var hasSideEffects: Bool {
        schema.services[path.service]?.method(named: path.method)?.hasSideEffects ?? true
    }

    /// The protobuf of a request in JSON. Throws INVALID_ARGUMENT with the name of the field.
    func request(
        from json: [UInt8], ignoresUnknown: Bool = false
    ) throws(RPCError) -> [UInt8] {
        let (schema, name) = try schema(for: request)
        do throws(MessageError) {
            let value = try JSONValue(parsing: json)
            return try JSONTranscoder(schema: schema, ignoresUnknown: ignoresUnknown)
                .bytes(from: value, message: name)
        } catch {
            throw RPCError(.invalidArgument, error.description)
        }
    }

    /// A reply in JSON.
    ///
    /// - Parameter printsDefaults: whether to include fields with default values.
    func json(of bytes: [UInt8], printsDefaults: Bool = true) throws(RPCError) -> [UInt8] {
        let (schema, name) = try schema(for: reply)
        do throws(MessageError) {
            return try JSONTranscoder(schema: schema, printsDefaults: printsDefaults)
                .json(from: bytes, message: name).utf8()
        } catch {
            throw RPCError(.internalError, "the reply cannot be encoded: \(error)")
        }
    }

    private func schema(for message: String?) throws(RPCError) -> (Schema, name: String) {
        let schema = schema
        guard let message, schema.message(named: message) != nil else {
            throw RPCError(
                .unimplemented,
                "the server has no descriptor of the method's messages: send protobuf")
        }
        return (schema, message)
    }

    private var schema: Schema {
        loaded.withLock { loaded in
            if let loaded { return loaded }
            let schema = load()
            loaded = schema
            return schema
        }
    }
}
