public import GRPCWire
package import Traces
public import Transport

/// Where a server sends its spans and log records: collectors that speak OTLP over gRPC.
public struct OTLPSettings: Sendable, Equatable {
    /// A collector, and how it is called.
    public struct Collector: Sendable, Equatable {
        /// The address.
        public var address: Address
        /// Nil for plaintext.
        public var tls: ClientTLS?
        /// Metadata of each request, for example a key.
        public var headers = Metadata()
        /// The time limit of one attempt to send a request.
        public var timeout = Duration.seconds(10)
        /// Whether requests are compressed with gzip.
        public var usesGzip = false
        /// The records that wait.
        public var queue = Queue()

        /// A collector without TLS.
        public init(_ address: Address) { self.address = address }
    }

    /// The bounds of the records that wait for their export.
    public struct Queue: Sendable, Equatable {
        /// The largest number of records that wait. Over it, new records are dropped and counted.
        public var maxQueued = 2_048
        /// The largest number of records in one request.
        public var maxBatch = 512
        /// The time after which records are sent although they are fewer.
        public var interval = Duration.seconds(5)

        /// The defaults, which are those of OpenTelemetry.
        public init() {}
    }

    /// The collector of spans; nil to export none.
    public var traces: Collector?
    /// The collector of log records, one for each call of the access log; nil to export none.
    public var logs: Collector?
    /// The attributes of the resource that records describe, by name. The server adds
    /// `service.version`, `service.instance.id` and `telemetry.sdk.*` unless they are set.
    public var resource = ["service.name": "weir"]

    /// Decides which calls are traced from their start.
    package var sampler = TraceSampler()
    /// The most calls a second that are traced at their end, because they failed, were slow or
    /// differed in a shadow, although they were not sampled at their start. 0 for none.
    public var lateCallsPerSecond = 10

    /// Samples calls whose caller did not decide, with this probability from 0 to 1.
    public mutating func sampleCalls(ratio: Double) { sampler = TraceSampler(ratio: ratio) }

    /// Exports nothing.
    public init() {}

    /// An invalid setting.
    public struct Invalid: Error, Equatable, CustomStringConvertible {
        /// The name of the option or variable, the invalid value, and the valid form.
        public let description: String
    }
}
