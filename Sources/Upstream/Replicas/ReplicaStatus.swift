internal import Synchronization

package import struct FoundationEssentials.Date

/// The status of a replica.
package struct ReplicaStatus: Sendable {
    package enum State: Sendable { case starting, connecting, ready, unhealthy, ejected, down }

    package let name: String
    package var state: State
    package var connections = 0
    package var inFlight = 0
    package var lastFailure: (reason: String, time: Date?)?
    package var ejections: UInt64 = 0

    /// The status of a replica that is not in the set: a worker that starts or has ended.
    package init(name: String, state: State) {
        self.name = name
        self.state = state
    }

    package init(_ replica: Replica, checked: Bool) {
        let detail = replica.withDetail { $0 }
        name = replica.name
        connections = replica.connections.load(ordering: .relaxed)
        inFlight = replica.requestsInFlight
        lastFailure = detail.lastFailure.map { ($0.reason, $0.time) }
        ejections = UInt64(detail.outlier.ejections)
        let verdict = replica.verdict.load(ordering: .relaxed)
        if replica.isEjected.load(ordering: .relaxed) {
            state = .ejected
        } else if connections == 0 {
            state = detail.lastConnectFailed ? .down : .connecting
        } else if checked, verdict != .serving {
            state = verdict == .notServing ? .unhealthy : .connecting
        } else {
            state = .ready
        }
    }
}

extension ReplicaSet {
    /// The statuses of the replicas.
    package var statuses: [ReplicaStatus] {
        let membership = membership
        return membership.replicas.map {
            ReplicaStatus($0, checked: membership.options.health.isOn)
        }
    }

    /// The status of a replica; nil if it is not in the set.
    package func status(of replica: Replica) -> ReplicaStatus? {
        let membership = membership
        guard membership.replicas.contains(where: { $0 === replica }) else { return nil }
        return ReplicaStatus(replica, checked: membership.options.health.isOn)
    }

    package var requestsInFlight: Int { max(0, inFlight.load(ordering: .relaxed)) }
}
