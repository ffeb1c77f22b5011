/// The options of a backend of replicas: upstream addresses or worker processes.
package struct BackendOptions: Sendable, Equatable {
    /// Concurrent requests to all replicas; 0 for no limit. Further requests wait.
    package var maxRequestsInFlight = 0
    /// Concurrent requests to each replica; 0 for no limit.
    package var maxRequestsPerReplica = 0
    /// Requests that wait on each loop for a slot or a connection. A request over the limit fails
    /// with RESOURCE_EXHAUSTED.
    package var maxWaitingRequests = 1_024
    /// How long a request waits. Then it fails with RESOURCE_EXHAUSTED, or with UNAVAILABLE if no
    /// replica is connected.
    package var waitTimeout = Duration.seconds(5)
    /// Whether requests with the same shard key are sent to the same replica.
    package var replicaAffinity = false
    package var retry = RetryPolicy()
    package var health = HealthCheck()
    package var outliers = OutlierDetection()
    /// The time for a new connection to receive the HTTP/2 SETTINGS.
    package var connectTimeout = Duration.seconds(20)
    /// A connection without a request for this time is closed; zero for never.
    package var idleTimeout = Duration.seconds(1_800)
    /// A PING is sent after this time without a byte while requests run; zero for never.
    /// Servers of gRPC C++ and Go answer more than one in five minutes with GOAWAY by default.
    package var keepaliveInterval = Duration.zero
    /// A connection without a PING acknowledgement for this time is closed.
    package var keepaliveTimeout = Duration.seconds(20)
    /// The maximum number of connections of each loop to each replica. A loop opens a further one
    /// when the others have reached the server's limit of streams.
    package var maxConnectionsPerReplica = 4
    /// The `:authority` of requests; empty for that of the caller.
    package var authority = ""
    /// Whether the caller's address is appended to `x-forwarded-for`.
    package var addsForwardedFor = false

    package init() {}
}

/// Active checks by `grpc.health.v1.Health/Check`. A server without that service is healthy while
/// it accepts connections.
package struct HealthCheck: Sendable, Equatable {
    /// The time between two checks of a replica; zero for no checks.
    package var interval = Duration.seconds(10)
    package var timeout = Duration.seconds(2)
    /// The service in the check; empty for the whole server.
    package var service = ""
    /// Consecutive successful checks after which a replica is used again. The first check decides
    /// alone.
    package var healthyThreshold = 1
    /// Consecutive failed checks after which a replica is not used.
    package var unhealthyThreshold = 2

    package init() {}

    var isOn: Bool { interval > .zero }
}
