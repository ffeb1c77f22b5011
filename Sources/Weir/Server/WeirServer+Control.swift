internal import ControlPlane
public import GRPCWire
package import Messages

/// Changes of the state by the program itself.
extension WeirServer {
    /// Adds an endpoint that routes all requests to one backend. A route is a method
    /// `/pkg.Service/Method` or a service `/pkg.Service/`.
    public func createEndpoint(
        _ name: String, route: String, backend: String
    ) async throws(RPCError) {
        try await refusals {
            _ = try await controlPlane.createEndpoint(name, route: route, backend: backend)
        }
    }

    /// Adds an upstream backend: gRPC servers that Weir does not start, without TLS. An address is
    /// `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`.
    public func createBackend(_ name: String, upstream addresses: [String]) async throws(RPCError) {
        try await refusals {
            try await controlPlane.createUpstream(name, addresses: addresses)
        }
    }

    /// Adds a worker backend: processes that this program starts, monitors and restarts. A command
    /// is a program and its arguments; it serves gRPC on the Unix socket that its environment
    /// variable `WEIR_WORKER_SOCKET` names.
    public func createBackend(
        _ name: String, worker command: [String], replicas: Int = 1
    ) async throws(RPCError) {
        try await refusals {
            try await controlPlane.createWorkers(name, command: command, replicas: replicas)
        }
    }

    /// Replaces an endpoint's weights, which must sum to 1.
    ///
    /// - Returns: the share of all shard keys, 0 to 1, whose backend changed.
    @discardableResult
    public func setTraffic(
        _ endpoint: String, _ weights: [String: Double]
    ) async throws(RPCError) -> Double {
        try await refusals {
            try await controlPlane.setTraffic(endpoint, weights.map { ($0.key, $0.value) })
                .movedShare
        }
    }

    /// Adds, changes or, with proportion 0, removes a shadow.
    public func shadowTraffic(
        _ endpoint: String, backend: String, proportion: Double
    ) async throws(RPCError) {
        try await refusals {
            _ = try await controlPlane.setShadow(endpoint, backend: backend, proportion: proportion)
        }
    }

    /// Applies a configuration to an empty state. Throws FAILED_PRECONDITION if the state is not
    /// empty.
    package func begin(
        with configuration: Weir_Admin_V1_Configuration, comment: String
    ) async throws(RPCError) {
        try await refusals {
            _ = try await controlPlane.apply(
                configuration, onlyIfEmpty: true, options: .init(comment: comment))
        }
    }

    private func refusals<Answer>(
        _ body: () async throws -> Answer
    ) async throws(RPCError) -> Answer {
        do {
            return try await body()
        } catch let error as ControlError {
            throw error.rpcError
        } catch {
            throw RPCError(.internalError, "\(error)")
        }
    }
}
