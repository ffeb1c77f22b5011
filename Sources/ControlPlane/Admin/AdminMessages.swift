internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import Serving
internal import TrafficPolicy

// Converts the control state to and from the messages of `admin.proto`.

extension Weir_Admin_V1_Endpoint {
    init(_ endpoint: ControlState.Endpoint) {
        self.init(
            name: endpoint.name, route: endpoint.route.description,
            weights: .init(endpoint.weights), shadows: endpoint.shadows.map { .init($0) },
            intervals: endpoint.map.intervals.map { .init(start: $0.start, backend: $0.backend) },
            revision: endpoint.revision, comparison: .init(endpoint.comparison),
            rateLimit: endpoint.rateLimit.map { .init($0) },
            timeBox: endpoint.timeBox.map { .init($0) }, methods: endpoint.methods.names,
            cors: endpoint.cors.map { .init($0) },
            httpShardKey: endpoint.httpShardKey.map { .init($0) })
    }
}

extension HTTPMethods {
    /// Throws INVALID_ARGUMENT for a name that is not a method.
    init(_ names: [String]) throws(ControlError) {
        guard let methods = Self.valid(names) else {
            throw .invalid(
                "methods",
                "invalid methods \(names.joined(separator: ", ").quoted): use at most "
                    + "\(Self.maxCount) methods of HTTP, for example GET and POST")
        }
        self = methods
    }
}

extension CORSPolicy {
    init(_ message: Weir_Admin_V1_CorsPolicy) throws(ControlError) {
        do throws(Invalid) {
            try self.init(
                origins: message.origins, headers: message.headers,
                exposedHeaders: message.exposedHeaders, allowsCredentials: message.credentials)
        } catch {
            throw .invalid("cors.\(error.field)", error.reason)
        }
    }
}

extension CORSPolicy? {
    init(_ message: Weir_Admin_V1_CorsPolicy?) throws(ControlError) {
        self = try message.map { (message) throws(ControlError) in try CORSPolicy(message) }
    }
}

extension HTTPShardKey? {
    init(_ message: Weir_Admin_V1_HttpShardKey?) throws(ControlError) {
        guard let message else {
            self = nil
            return
        }
        self = HTTPShardKey(cookie: message.cookie, query: message.query)
        guard self != nil else {
            throw .invalid(
                "http_shard_key",
                "invalid names \(message.cookie.quoted) and \(message.query.quoted): name a "
                    + "cookie, a query parameter or both, in printable ASCII")
        }
    }
}

extension Weir_Admin_V1_HttpShardKey {
    init(_ key: HTTPShardKey) { self.init(cookie: key.cookie, query: key.query) }
}

extension Weir_Admin_V1_CorsPolicy {
    init(_ policy: CORSPolicy) {
        self.init(
            origins: policy.origins, headers: policy.headers,
            exposedHeaders: policy.exposedHeaders, credentials: policy.allowsCredentials)
    }
}

extension Weir_Admin_V1_RateLimit {
    init(_ limit: ControlState.RateLimit) {
        self.init(requestsPerSecond: limit.requestsPerSecond, burst: UInt32(clamping: limit.burst))
    }
}

extension ControlState.RateLimit {
    init(_ message: Weir_Admin_V1_RateLimit) throws(ControlError) {
        let rate = message.requestsPerSecond
        guard rate > 0, rate <= 1e9 else {
            throw .invalid(
                "rate_limit.requests_per_second", "is \(rate); it must be above 0, at most 1e9")
        }
        let burst = message.burst > 0 ? Int(message.burst) : max(1, Int(rate.rounded(.up)))
        guard Double(burst) / rate <= 86_400 else {
            throw .invalid("rate_limit.burst", "is \(burst), which takes more than a day to refill")
        }
        self.init(requestsPerSecond: rate, burst: burst)
    }
}

extension [Weir_Admin_V1_BackendWeight] {
    init(_ weights: TrafficWeights) {
        self = weights.weights.map { .init(backend: $0.backend, weight: $0.weight) }
    }
}

extension Weir_Admin_V1_ListEndpointsResponse {
    init(_ state: ControlState) {
        self.init(
            endpoints: state.endpoints.values.sorted { $0.name < $1.name }.map { .init($0) },
            revision: state.revision)
    }
}

extension Google_Protobuf_Timestamp {
    /// Rounds to microseconds, the precision of a `Date`, and clamps to the range of a timestamp.
    init(_ date: Date) {
        let range = Self.secondsRange
        let time = date.timeIntervalSince1970
        let bounded =
            time.isNaN ? 0 : min(max(time, Double(range.lowerBound)), Double(range.upperBound))
        let micros = Int64((bounded * 1e6).rounded())
        let (seconds, rest) = micros.quotientAndRemainder(dividingBy: 1_000_000)
        // Nanoseconds count forward, also before 1970.
        self.init(
            seconds: rest < 0 ? seconds - 1 : seconds,
            nanos: Int32(rest < 0 ? rest + 1_000_000 : rest) * 1_000)
    }
}

extension Date {
    init(_ timestamp: Google_Protobuf_Timestamp) {
        self.init(
            timeIntervalSince1970: Double(timestamp.seconds) + Double(timestamp.nanos) / 1e9)
    }
}
