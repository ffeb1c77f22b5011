package import GRPCWire
public import Messages

/// A gRPC service: its methods, and the Swift code that answers them.
///
/// ```swift
/// Service("helloworld.Greeter")
///     .unary("SayHello") { (request: Helloworld_HelloRequest, _) in
///         Helloworld_HelloReply(message: "Hello \(request.name)")
///     }
/// ```
///
/// A handler starts on the event loop of its connection and must not block it. Put blocking
/// handlers into a `HandlerBackend(blocking: true)`. A thrown error becomes the status of the call:
/// the status of an `RPCError`, or UNKNOWN without details for any other error.
public struct Service: Sendable {
    /// The full name: package and service.
    public let name: String

    /// Methods by name.
    private(set) var methods: [String: MethodHandler] = [:]

    /// A serialized `FileDescriptorSet` for reflection, for messages without a descriptor.
    let descriptorSet: [UInt8]?

    /// - Parameters:
    ///   - name: the full name, for example `helloworld.Greeter`.
    ///   - descriptorSet: the output of `protoc --include_imports --descriptor_set_out`. Not needed
    ///     for messages from `weir-generate`.
    public init(_ name: String, descriptorSet: [UInt8]? = nil) {
        self.name = name
        self.descriptorSet = descriptorSet
    }

    /// Adds a method with one request and one reply, whose handler does not suspend. It runs
    /// without a task, which costs less than the other form of this method. A closure without
    /// `await` has this form. If its deadline passes, the call ends when it returns.
    public func unary<Request: WireMessage, Reply: WireMessage>(
        _ method: String, _ handler: @escaping @Sendable (Request, CallContext) throws -> Reply
    ) -> Service {
        adding(
            method, Request.self, Reply.self,
            .single { call, payload throws(MessageError) in
                let request = try Request(serializedBytes: payload)
                let context = call.makeContext()
                guard call.runsOnLoop else {
                    return call.start {
                        do {
                            call.complete(with: try handler(request, context))
                        } catch {
                            call.complete(throwing: error)
                        }
                    }
                }
                do {
                    call.reply(with: try handler(request, context))
                } catch {
                    call.complete(throwing: error)
                }
            })
    }

    /// Adds a method with one request and one reply.
    public func unary<Request: WireMessage, Reply: WireMessage>(
        _ method: String,
        _ handler: @escaping @Sendable (Request, CallContext) async throws -> Reply
    ) -> Service {
        adding(
            method, Request.self, Reply.self,
            .single { call, payload throws(MessageError) in
                let request = try Request(serializedBytes: payload)
                let context = call.makeContext()
                call.start {
                    do {
                        call.complete(with: try await handler(request, context))
                    } catch {
                        call.complete(throwing: error)
                    }
                }
            })
    }

    /// Adds a method with one request and any number of replies.
    public func serverStreaming<Request: WireMessage, Reply: WireMessage>(
        _ method: String,
        _ handler:
            @escaping @Sendable (Request, ReplyWriter<Reply>, CallContext) async throws ->
            Void
    ) -> Service {
        adding(
            method, Request.self, Reply.self,
            .single { call, payload throws(MessageError) in
                let request = try Request(serializedBytes: payload)
                let context = call.makeContext()
                call.start {
                    do {
                        try await handler(request, ReplyWriter(call: call), context)
                        call.complete()
                    } catch {
                        call.complete(throwing: error)
                    }
                }
            })
    }

    /// Adds a method with any number of requests and one reply.
    public func clientStreaming<Request: WireMessage, Reply: WireMessage>(
        _ method: String,
        _ handler: @escaping @Sendable (RequestStream<Request>, CallContext) async throws -> Reply
    ) -> Service {
        adding(
            method, Request.self, Reply.self,
            .stream { call in
                let context = call.makeContext()
                call.start {
                    do {
                        call.complete(with: try await handler(RequestStream(call: call), context))
                    } catch {
                        call.complete(throwing: error)
                    }
                }
            })
    }

    /// Adds a method with any number of requests and replies, in any order.
    public func bidirectional<Request: WireMessage, Reply: WireMessage>(
        _ method: String,
        _ handler:
            @escaping @Sendable (
                RequestStream<Request>, ReplyWriter<Reply>, CallContext
            ) async throws -> Void
    ) -> Service {
        adding(
            method, Request.self, Reply.self,
            .stream { call in
                let context = call.makeContext()
                call.start {
                    do {
                        try await handler(
                            RequestStream(call: call), ReplyWriter(call: call), context)
                        call.complete()
                    } catch {
                        call.complete(throwing: error)
                    }
                }
            })
    }

    /// The decision of a guard about a call.
    package enum Admission: Sendable {
        /// The closure is called when the call has ended.
        case admitted(@Sendable () -> Void)
        case rejected(RPCError)
    }

    /// The same methods with a guard, which decides when the request is complete or its stream
    /// starts.
    package func guarded(
        _ decide: @escaping @Sendable (_ method: String, CallContext) -> Admission
    ) -> Service {
        var service = self
        for (name, method) in methods {
            service.methods[name] = method.guarded { decide(name, $0) }
        }
        return service
    }

    private func adding(
        _ method: String, _ request: any WireMessage.Type, _ reply: any WireMessage.Type,
        _ entry: MethodHandler.Entry
    ) -> Service {
        precondition(methods[method] == nil, "\(name) already has a method \(method)")
        var service = self
        service.methods[method] = MethodHandler(
            request: request, reply: reply, entry: entry,
            json: MessageJSON(
                request: request, reply: reply, descriptorSet: descriptorSet,
                path: MethodPath(service: name, method: method)))
        return service
    }

    /// Adds the known `.proto` files of this service to a schema.
    package func addDescriptors(to schema: inout Schema) throws(MessageError) {
        if let descriptorSet { try schema.add(descriptorSet: descriptorSet) }
        for (_, method) in methods.sorted(by: { $0.key < $1.key }) {
            for type in [method.request, method.reply] {
                if let type = type as? any ProtobufMessage.Type { try schema.add(type._file) }
            }
        }
    }
}

/// One method and its handler. A class, so that passing it retains one reference.
final class MethodHandler: Sendable {
    /// How a call starts its handler.
    enum Entry: Sendable {
        /// With the bytes of the only request.
        case single(@Sendable (HandlerCall, RawSpan) throws(MessageError) -> Void)
        /// Before the first request arrives.
        case stream(@Sendable (HandlerCall) -> Void)
    }

    let request: any WireMessage.Type
    let reply: any WireMessage.Type
    let entry: Entry
    /// Whether the method has one request.
    let isSingle: Bool
    /// For clients that send and accept JSON.
    let json: MessageJSON

    init(
        request: any WireMessage.Type, reply: any WireMessage.Type, entry: Entry, json: MessageJSON
    ) {
        self.request = request
        self.reply = reply
        self.entry = entry
        isSingle = if case .single = entry { true } else { false }
        self.json = json
    }

    fileprivate func guarded(
        _ decide: @escaping @Sendable (CallContext) -> Service.Admission
    ) -> MethodHandler {
        let guarded: Entry =
            switch entry {
            case .single(let start):
                .single { call, payload throws(MessageError) in
                    if Self.isAdmitted(call, decide) { try start(call, payload) }
                }
            case .stream(let start):
                .stream { call in
                    if Self.isAdmitted(call, decide) { start(call) }
                }
            }
        return MethodHandler(request: request, reply: reply, entry: guarded, json: json)
    }

    private static func isAdmitted(
        _ call: HandlerCall, _ decide: (CallContext) -> Service.Admission
    ) -> Bool {
        switch decide(call.makeContext()) {
        case .admitted(let whenEnded):
            call.whenEnded = whenEnded
            return true
        case .rejected(let error):
            call.finish(error)
            return false
        }
    }
}

/// A backend that is Swift code in this process.
public struct HandlerBackend: Sendable {
    /// The name of the backend in traffic policies.
    public let name: String
    /// Whether its handlers block their thread, so that they run on separate threads.
    public let isBlocking: Bool
    /// A description for operators.
    public let description: String
    package let services: [String: Service]

    /// - Parameters:
    ///   - name: 1 to 128 of the characters `a-z A-Z 0-9 . _ : -`.
    ///   - blocking: run the handlers on a pool of threads instead of the event loops.
    public init(
        _ name: String, blocking: Bool = false, description: String = "", services: [Service]
    ) {
        self.name = name
        self.description = description
        isBlocking = blocking
        self.services = Dictionary(uniqueKeysWithValues: services.map { ($0.name, $0) })
    }

    private init(
        _ name: String, isBlocking: Bool, description: String, services: [String: Service]
    ) {
        self.name = name
        self.isBlocking = isBlocking
        self.description = description
        self.services = services
    }

    /// The same handlers under another name.
    package func named(_ name: String, description: String) -> HandlerBackend {
        HandlerBackend(
            name, isBlocking: isBlocking, description: description, services: services)
    }

    /// The names of the response types by path, of the types that have a name.
    package var replyTypes: [String: String] {
        var types: [String: String] = [:]
        for service in services.values {
            for (name, method) in service.methods {
                let path = MethodPath(service: service.name, method: name)
                types[path.description] = method.reply.messageName
            }
        }
        return types
    }

    func method(_ path: MethodPath) -> MethodHandler? {
        services[path.service]?.methods[path.method]
    }
}
