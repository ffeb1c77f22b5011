/// How Weir deals with a backend of replicas: upstream addresses or worker processes.
package struct BackendOptions: Sendable, Equatable {
    /// Requests that the backend works on at once, over all replicas; 0 for no limit. More wait.
    package var maxRequestsInFlight = 0
    /// The same for each replica.
    package var maxRequestsPerReplica = 0
    /// Requests that wait on each loop for a slot or a connection; over it RESOURCE_EXHAUSTED.
    package var maxWaitingRequests = 1_024
    /// How long a request waits; over it RESOURCE_EXHAUSTED, or UNAVAILABLE when no replica is
    /// connected.
    package var waitTimeout = Duration.seconds(5)
    /// Whether the same shard key goes to the same replica.
    package var replicaAffinity = false
    package var retry = RetryPolicy()
    package var health = HealthCheck()
    package var outliers = OutlierDetection()
    /// Until a new connection's HTTP/2 SETTINGS have come.
    package var connectTimeout = Duration.seconds(20)
    /// After this long without a request a connection is closed; zero for never.
    package var idleTimeout = Duration.seconds(1_800)
    /// After this long without a byte while requests are running, a PING is sent; zero for never.
    /// Servers of gRPC C++ and Go answer more than one in five minutes with GOAWAY by default.
    package var keepaliveInterval = Duration.zero
    /// How long the answer to a PING may take before the connection is given up.
    package var keepaliveTimeout = Duration.seconds(20)
    /// Connections of each loop to each replica; a further one is opened when the server's limit of
    /// streams is reached.
    package var maxConnectionsPerReplica = 4
    /// Sent as `:authority` instead of the caller's.
    package var authority = ""
    /// Whether the caller's address is appended to `x-forwarded-for`.
    package var addsForwardedFor = false

    package init() {}
}

/// Active checks by `grpc.health.v1.Health/Check`. A server without that service is healthy while
/// it accepts connections.
package struct HealthCheck: Sendable, Equatable {
    /// Between two checks of a replica; zero switches them off.
    package var interval = Duration.seconds(10)
    package var timeout = Duration.seconds(2)
    /// The name asked for; empty for the whole server.
    package var service = ""
    /// Good answers in a row after which a replica is used again. The first check decides alone.
    package var healthyThreshold = 1
    /// Bad answers in a row after which a replica is used no more.
    package var unhealthyThreshold = 2

    package init() {}

    var isOn: Bool { interval > .zero }
}
