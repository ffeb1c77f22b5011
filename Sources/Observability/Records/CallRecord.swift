package import GRPCWire
package import Traces

/// One ended call, as the access log, taps and `weir trace` show it. Contains no metadata and no
/// shard key.
package struct CallRecord: Sendable {
    /// How the client called.
    package enum Form: String, Sendable {
        case grpc
        case grpcWeb = "grpc-web"
        case connect
        /// Plain HTTP, as a call of `weir.v1.Serve/Call`.
        case http
        /// By a rule of `google.api.http`.
        case transcoded
    }

    /// One attempt at a replica that did not answer the call.
    package struct FailedAttempt: Hashable, Sendable {
        package let replica: String
        /// Nil if the replica has not processed the request.
        package let code: StatusCode?
        package let nanoseconds: UInt64

        package init(replica: String, code: StatusCode?, nanoseconds: UInt64) {
            (self.replica, self.code, self.nanoseconds) = (replica, code, nanoseconds)
        }
    }

    /// The parts of a call's duration, in nanoseconds.
    package struct Phases: Hashable, Sendable {
        /// From the request's headers until the first attempt: the wait for a replica.
        package var queue: UInt64 = 0
        /// From then until the response begins, with all attempts and the pauses between them.
        package var upstream: UInt64 = 0
        /// From then until the status.
        package var response: UInt64 = 0

        package init() {}

        package var total: UInt64 { queue &+ upstream &+ response }
    }

    /// The bytes that are kept of a method and of a status message.
    package static let maxTextBytes = 512

    /// In nanoseconds since 1970.
    package var endedAt: UInt64 = 0
    package var form = Form.grpc
    /// Empty if no endpoint matches.
    package var endpoint = ""
    /// Empty if no backend was chosen.
    package var backend = ""
    /// The path.
    package var method = ""
    package var isShadow = false
    /// The replica of the last attempt; empty for a handler, and for a call without an attempt.
    package var replica = ""
    /// The attempts before the last one.
    package var failedAttempts: [FailedAttempt] = []
    /// Attempts at replicas; 1 for a handler that was called.
    package var attempts = 0
    package var code = StatusCode.ok
    /// The message of the status, which may be the backend's.
    package var message = ""
    package var phases = Phases()
    /// Bytes of all messages, each with its prefix of 5 bytes.
    package var requestBytes: UInt64 = 0
    package var responseBytes: UInt64 = 0
    /// The point of the shard key; nil without one.
    package var shardPoint: UInt64?
    /// The revision of the endpoint's policy, which decided the backend.
    package var revision: UInt64 = 0
    /// Whether a rollout's candidate answered, rather than its baseline; nil without a rollout.
    package var isCandidate: Bool?
    package var trace: TraceContext?
    /// The address of the client.
    package var peer = ""

    package init() {}

    /// External text as a record keeps it.
    package static func kept(_ text: String) -> String {
        text.kept(bytes: maxTextBytes)
    }
}

/// Ended calls on their way to an access log. A full queue drops and counts them.
package typealias CallQueue = BoundedQueue<CallRecord>
