internal import GRPCWire
internal import Messages
internal import Serving

/// The methods of the admin service. Each one is registered with the role that it requires.
struct AdminMethods {
    static let serviceName = "weir.admin.v1.Admin"

    private let plane: ControlPlane
    private var methods = Service(serviceName)
    /// The role that a method requires, by its name.
    private(set) var roles: [String: AccessList.Role] = [:]

    init(_ plane: ControlPlane) { self.plane = plane }

    /// The service, which checks the role of each caller.
    var service: Service {
        methods.guarded { [access = plane.access, roles] method, context in
            // Each method has a role.
            access.admit(method, roles[method] ?? .admin, context)
        }
    }

    private func adding(
        _ method: String, _ role: AccessList.Role, _ add: (Service) -> Service
    ) -> AdminMethods {
        var result = self
        result.methods = add(methods)
        result.roles[method] = role
        return result
    }

    /// Adds a unary method.
    func unary<Request: WireMessage, Reply: WireMessage>(
        _ method: String, _ role: AccessList.Role,
        _ handler: @escaping @Sendable (Request, CallContext) async throws -> Reply
    ) -> AdminMethods {
        adding(method, role) { $0.unary(method, handler) }
    }

    /// Adds a method with one request and any number of responses.
    func serverStreaming<Request: WireMessage, Reply: WireMessage>(
        _ method: String, _ role: AccessList.Role,
        _ handler:
            @escaping @Sendable (Request, ReplyWriter<Reply>, CallContext) async throws -> Void
    ) -> AdminMethods {
        adding(method, role) { $0.serverStreaming(method, handler) }
    }

    /// Adds a unary method that changes the state.
    func change<Request: ChangeRequest, Reply: WireMessage>(
        _ method: String, _ role: AccessList.Role,
        _ handler: @escaping @Sendable (Request, ControlPlane.ChangeOptions) async throws -> Reply
    ) -> AdminMethods {
        unary(method, role) { [plane] (request: Request, context) in
            let principal = try plane.access.require(context) { requirement in
                requirement.endpoint = (request as? any EndpointRequest)?.endpoint
            }
            return try await withRPCErrors {
                let options = try ControlPlane.ChangeOptions(
                    request, author: principal?.name, caller: context.peer)
                return try await handler(request, options)
            }
        }
    }

    /// Adds a unary method that reads the view without samples.
    func read<Request: WireMessage, Reply: WireMessage & Sendable>(
        _ method: String, _ role: AccessList.Role,
        _ handler: @escaping @Sendable (Request, ControlPlane.View) throws -> Reply
    ) -> AdminMethods {
        read(method, role) { request, views in
            try await views.read { try handler(request, $0) }
        }
    }

    /// Adds a unary method that reads the view with samples.
    func sampledRead<Request: WireMessage, Reply: WireMessage & Sendable>(
        _ method: String, _ role: AccessList.Role,
        _ handler: @escaping @Sendable (Request, ControlPlane.View) throws -> Reply
    ) -> AdminMethods {
        read(method, role) { request, views in
            try await views.readSampled { try handler(request, $0) }
        }
    }

    private func read<Request: WireMessage, Reply: WireMessage>(
        _ method: String, _ role: AccessList.Role,
        _ handler: @escaping @Sendable (Request, ViewPublisher) async throws -> Reply
    ) -> AdminMethods {
        unary(method, role) { [plane] (request: Request, context) in
            try plane.access.require(request, context)
            plane.markStale(context)
            return try await withRPCErrors { try await handler(request, plane.views) }
        }
    }
}

extension ControlPlane {
    /// Marks the response of a read as possibly stale while the store is lost.
    nonisolated func markStale(_ context: CallContext) {
        guard let problem = views.current.storeProblem else { return }
        context.addTrailingMetadata(["x-weir-stale": StatusMessage.encode(problem.reason)])
    }
}

/// Converts the errors of the control plane to statuses with details.
func withRPCErrors<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
        return try await body()
    } catch let error as ControlError {
        throw error.rpcError
    }
}
