internal import GRPCWire
package import Messages
internal import Synchronization

/// The statuses of `grpc.health.v1`: of the whole server (the empty name), of each endpoint by its
/// name, and of each service with a route. The control plane adds the status of the store.
///
/// Only health checks and changes of the control state take its lock.
package final class HealthBoard: Sendable {
    package typealias Status = Grpc_Health_V1_HealthCheckResponse.ServingStatus

    private struct State {
        var statuses: [String: Status] = ["": .serving]
        var isReady = false
        var isDraining = false
        var watchers: [UInt64: (name: String, stream: AsyncStream<Status>.Continuation)] = [:]
        var nextWatcher: UInt64 = 0

        func status(of name: String) -> Status? {
            guard let status = statuses[name] else { return nil }
            return isDraining ? .notServing : status
        }
    }

    private let state = Mutex(State())

    package init() {}

    /// Replaces the statuses by name. The whole server stays SERVING.
    package func set(_ statuses: [String: Status]) {
        change { state in
            state.statuses = statuses
            state.statuses[""] = .serving
        }
    }

    /// Sets all statuses to NOT_SERVING, so that clients and load balancers use other servers.
    package func drain() {
        change { $0.isDraining = true }
    }

    /// The server serves its first state.
    package func markReady() { state.withLock { $0.isReady = true } }

    package var isReady: Bool { state.withLock { $0.isReady && !$0.isDraining } }

    package var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Ends all watches, so that a drain can complete.
    package func endWatches() {
        let watchers = state.withLock { state in
            defer { state.watchers = [:] }
            return state.watchers
        }
        // Without the lock: `finish` calls the termination handler, which takes it.
        for watcher in watchers.values { watcher.stream.finish() }
    }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            let before = state.watchers.mapValues { state.status(of: $0.name) }
            body(&state)
            for (id, watcher) in state.watchers {
                let now = state.status(of: watcher.name)
                if now != before[id] { watcher.stream.yield(now ?? .serviceUnknown) }
            }
        }
    }

    fileprivate func status(of name: String) -> Status? {
        state.withLock { $0.status(of: name) }
    }

    fileprivate var all: [String: Status] {
        state.withLock { state in
            state.isDraining ? state.statuses.mapValues { _ in .notServing } : state.statuses
        }
    }

    /// The current status, and each change. A slow watcher receives only the latest.
    fileprivate func watch(_ name: String) -> AsyncStream<Status> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { stream in
            let id = state.withLock { state in
                state.nextWatcher += 1
                state.watchers[state.nextWatcher] = (name, stream)
                stream.yield(state.status(of: name) ?? .serviceUnknown)
                return state.nextWatcher
            }
            stream.onTermination = { _ in
                _ = self.state.withLock { $0.watchers.removeValue(forKey: id) }
            }
        }
    }
}

extension Service {
    /// `grpc.health.v1.Health`, as gRPC's health-checking document specifies it.
    package static func health(_ board: HealthBoard) -> Service {
        Service("grpc.health.v1.Health")
            .unary("Check") { (request: Grpc_Health_V1_HealthCheckRequest, _) in
                guard let status = board.status(of: request.service) else {
                    throw RPCError(.notFound, "unknown service '\(request.service)'")
                }
                return Grpc_Health_V1_HealthCheckResponse(status: status)
            }
            .unary("List") { (_: Grpc_Health_V1_HealthListRequest, _) in
                Grpc_Health_V1_HealthListResponse(
                    statuses: board.all.mapValues { Grpc_Health_V1_HealthCheckResponse(status: $0) }
                )
            }
            .serverStreaming("Watch") {
                (
                    request: Grpc_Health_V1_HealthCheckRequest,
                    replies: ReplyWriter<Grpc_Health_V1_HealthCheckResponse>, _
                ) in
                for await status in board.watch(request.service) {
                    try await replies.send(.init(status: status))
                }
            }
    }
}
