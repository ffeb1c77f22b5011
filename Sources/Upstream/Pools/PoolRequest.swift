package import GRPCWire

/// A request that needs a replica. All calls are on the loop of the pool.
package protocol PoolRequest: AnyObject {
    /// Whether it is a copy for a shadow. A copy is sent at once or refused: it never waits, and
    /// never takes a slot from requests that wait.
    var isShadow: Bool { get }
    /// The point of the shard key on the ring of replicas; nil for any replica.
    var replicaPoint: UInt64? { get }
    /// The replica of the last attempt, which failed.
    var failedReplica: Replica? { get }

    /// The request has a replica.
    func begin(on lease: BackendPool.Lease)
    /// The request waits for a replica.
    func waits(_ ticket: WaitingTicket)
    /// The request has no replica.
    func refused(_ error: RPCError)
}
