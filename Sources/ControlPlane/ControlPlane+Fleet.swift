internal import Messages
internal import StateStores
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

/// The description of this server for the other servers that share its store.
package struct ServerInstance: Sendable {
    let name: String
    let version: String
    let host: String
    let dataAddress: String
    let adminAddress: String

    /// - Parameter host: the name of the machine.
    package init(
        name: String, version: String, host: String, dataAddress: String, adminAddress: String
    ) {
        self.name = name
        self.version = version
        self.host = host
        self.dataAddress = dataAddress
        self.adminAddress = adminAddress
    }

    /// The id of one start of the server: its name, what it has in common with its other starts,
    /// and a random number.
    func id(_ random: UInt64) -> String {
        let place = [host, dataAddress, adminAddress].joined(separator: "\0")
        let digits = KeyHash.hash(Array(place.utf8).rawSpan, seed: 0)
        return "\(name)-\(String(digits, radix: 36)).\(String(random, radix: 36))"
    }

    /// The latest start of each server. The store keeps the entry of a server that was killed for a
    /// while, although the server has started again.
    static func latest(of instances: [Weir_Admin_V1_Instance]) -> [Weir_Admin_V1_Instance] {
        let starts = Dictionary(grouping: instances) { common($0.id) }
        let latest = starts.values.compactMap { starts in
            starts.first(where: \.answering) ?? starts.max { time(of: $0) < time(of: $1) }
        }
        return latest.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
    }

    private static func time(of instance: Weir_Admin_V1_Instance) -> (Int64, Int32) {
        (instance.started?.seconds ?? 0, instance.started?.nanos ?? 0)
    }

    /// What the ids of all starts of a server have in common. Earlier versions have ids without it.
    private static func common(_ id: String) -> Substring {
        let start = id.lastIndex { $0 == "-" || $0 == "." } ?? id.startIndex
        return id[start...].first == "." ? id[..<start] : id[...]
    }
}

/// The servers that share a store.
extension ControlPlane {
    /// Announces this server to the other servers that share the store.
    package func announce(_ server: ServerInstance) {
        let instance = Weir_Admin_V1_Instance(
            id: server.id(chance.random()), name: server.name, version: server.version,
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
        response.instances = ServerInstance.latest(of: response.instances + [own])
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
