internal import Messages
internal import StateStores

internal import struct FoundationEssentials.Date

/// The description of this server for the other servers that share its store.
package struct ServerInstance: Sendable {
    let name: String
    let version: String
    let dataAddress: String
    let adminAddress: String

    package init(name: String, version: String, dataAddress: String, adminAddress: String) {
        self.name = name
        self.version = version
        self.dataAddress = dataAddress
        self.adminAddress = adminAddress
    }
}

/// The servers that share a store.
extension ControlPlane {
    /// Announces this server to the other servers that share the store.
    package func announce(_ server: ServerInstance) {
        let digits = String(chance.random(), radix: 36)
        let instance = Weir_Admin_V1_Instance(
            id: "\(server.name)-\(digits)", name: server.name, version: server.version,
            dataAddress: server.dataAddress, adminAddress: server.adminAddress,
            started: .init(chance.now()))
        views.update { $0.instance = instance }
        background.accepted.continuation.yield()
    }

    /// Announces the revision that this server serves.
    func announceRevision() async {
        let view = views.current
        guard view.storeProblem?.kind.needsDecision ?? true, let own = view.describedInstance(),
            let bytes = try? own.serializedBytes()
        else { return }
        do throws(StoreError) {
            try await store.announce(bytes)
        } catch {
            storeIsLost(error)
        }
    }

    /// The servers that share the state; only this one while the store is lost.
    func instances() async -> Weir_Admin_V1_ListInstancesResponse {
        var own = views.current.describedInstance() ?? .init()
        own.answering = true
        var response = Weir_Admin_V1_ListInstancesResponse(store: store.place)
        do throws(StoreError) {
            if let storeProblem, !storeProblem.kind.needsDecision {
                throw .unavailable(storeProblem.reason)
            }
            for stored in try await store.instances() {
                guard var other = try? Weir_Admin_V1_Instance(serializedBytes: stored.bytes) else {
                    continue
                }
                if other.id == own.id {
                    own.leader = stored.isLeader
                } else {
                    other.leader = stored.isLeader
                    response.instances.append(other)
                }
            }
        } catch {
            response.storeFailure = error.description
        }
        response.instances.append(own)
        response.instances.sort { ($0.name, $0.id) < ($1.name, $1.id) }
        return response
    }
}

extension ControlPlane.View {
    /// This server with its revision and state; nil until it listens.
    func describedInstance() -> Weir_Admin_V1_Instance? {
        guard var own = instance else { return nil }
        own.revision = state.revision
        own.state =
            switch storeProblem?.kind {
            case nil: .current
            case .lost, .closed: .stale
            case .diverged, .damaged: .diverged
            }
        own.problem = storeProblem?.reason ?? ""
        return own
    }
}
