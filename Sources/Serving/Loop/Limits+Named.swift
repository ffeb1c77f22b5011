internal import GRPCWire
internal import HTTP2Session

extension Limits {
    /// One limit that operators can set.
    public struct Setting: Sendable {
        /// The name of the property, with hyphens: `max-message-bytes`.
        public let name: String
        let value: Value
        /// The range of valid values; in seconds for times.
        public let range: ClosedRange<Double>

        enum Value: Sendable {
            case count(any WritableKeyPath<Limits, Int> & Sendable)
            case time(any WritableKeyPath<Limits, Duration> & Sendable)
        }

        /// The value in `limits`, in the format that `set` parses: a number, or seconds.
        public func text(in limits: Limits) -> String {
            switch value {
            case .count(let path): "\(limits[keyPath: path])"
            case .time(let path): Self.seconds(limits[keyPath: path])
            }
        }

        /// Whether it is a time, in seconds.
        public var isTime: Bool { if case .time = value { true } else { false } }

        private static func seconds(_ time: Duration) -> String {
            let seconds = time / .seconds(1)
            return seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
        }
    }

    /// Why a limit cannot be set.
    public struct Invalid: Error, CustomStringConvertible {
        /// What is wrong, and which values are valid.
        public let description: String
    }

    /// Sets a limit by its name. Times are in seconds, sizes in bytes.
    public mutating func set(_ name: String, to text: String) throws(Invalid) {
        guard let setting = Self.named.first(where: { $0.name == name }) else {
            throw Invalid(description: "unknown limit '\(name)'")
        }
        let range = setting.range
        // `Double` also parses signs, hexadecimal digits and exponents.
        let isDecimal = text.utf8.allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") }
        guard isDecimal, text.first != ".", text.last != ".", let number = Double(text),
            range.contains(number),
            setting.isTime || number == number.rounded()
        else {
            let kind = setting.isTime ? "seconds" : "a whole number"
            let bounds = "\(range.lowerBound.formatted) to \(range.upperBound.formatted)"
            throw Invalid(
                description: "invalid \(name) '\(text)': it must be \(kind) from \(bounds)")
        }
        switch setting.value {
        case .count(let path): self[keyPath: path] = Int(number)
        case .time(let path): self[keyPath: path] = .nanoseconds(Int64(number * 1e9))
        }
    }

    /// The same limits, each from zero to the largest valid value. A program may set a limit to
    /// zero, for example in its tests.
    package var bounded: Limits {
        var limits = self
        for setting in Self.named {
            let most = setting.range.upperBound
            switch setting.value {
            // At most 1e15.
            case .count(let path):
                limits[keyPath: path] = max(0, min(limits[keyPath: path], Int(most)))
            case .time(let path):
                limits[keyPath: path] = max(.zero, min(limits[keyPath: path], .seconds(most)))
            }
        }
        return limits
    }

    /// Lowers the limits of connections, so that enough file descriptors remain for operators and
    /// backends.
    ///
    /// - Parameter descriptors: the file descriptors available for all connections.
    /// - Returns: whether a limit was lowered.
    package mutating func fit(descriptors: Int) -> Bool {
        let forBackends = min(1_024, descriptors / 4)
        let most = descriptors - forBackends
        guard maxConnections + maxAdminConnections > most else { return false }
        maxAdminConnections = min(maxAdminConnections, max(4, most / 8))
        maxConnections = max(1, min(maxConnections, most - maxAdminConnections))
        return true
    }

    /// All limits, in the order of their declaration.
    public static let named: [Setting] = [
        count("max-connections", \.maxConnections),
        count("max-connections-per-address", \.maxConnectionsPerAddress),
        count("max-admin-connections", \.maxAdminConnections),
        count("max-metrics-connections", \.maxMetricsConnections),
        time("first-request-timeout", \.firstRequestTimeout),
        time("headers-timeout", \.headersTimeout),
        time("idle-timeout", \.idleTimeout),
        time("http1-idle-timeout", \.http1IdleTimeout),
        time("keepalive-interval", \.keepaliveInterval),
        time("keepalive-timeout", \.keepaliveTimeout),
        time("min-ping-interval", \.minPingInterval, from: 0),
        count("max-ping-strikes", \.maxPingStrikes),
        time("slow-reader-timeout", \.slowReaderTimeout),
        count("max-overhead-frames", \.maxOverheadFrames, from: 100),
        count("max-resets", \.maxResets, from: 10),
        count("max-continuations", \.maxContinuations),
        count("max-unread-acknowledgements", \.maxUnreadAcknowledgements),
        count("max-concurrent-streams", \.maxConcurrentStreams),
        count("max-header-list-bytes", \.maxHeaderListBytes, from: 512),
        count("max-header-fields", \.maxHeaderFields, from: 8),
        count("max-response-header-bytes", \.maxResponseHeaderBytes, from: 512, to: 16_777_216),
        count("max-message-bytes", \.maxMessageBytes),
        count("max-admin-message-bytes", \.maxAdminMessageBytes),
        count("max-requests-in-flight-per-loop", \.maxRequestsInFlightPerLoop),
        count("max-blocking-calls", \.maxBlockingCalls),
        time("max-queueing-delay", \.maxQueueingDelay, from: 0.05),
        bytes("max-buffered-bytes", \.maxBufferedBytes),
        bytes("max-buffered-bytes-per-connection", \.maxBufferedBytesPerConnection),
        count("stream-window-bytes", \.streamWindowBytes, from: 1_024),
        count("connection-window-bytes", \.connectionWindowBytes, from: 65_535),
        count("response-buffer-bytes", \.responseBufferBytes),
        count("forward-buffer-bytes", \.forwardBufferBytes),
        count("retry-buffer-bytes", \.retryBufferBytes, from: 0),
        count("max-remembered-paths", \.maxRememberedPaths),
        count("max-methods-per-endpoint", \.maxMethodsPerEndpoint),
        count("max-methods", \.maxMethods),
        count("max-traced-calls", \.maxTracedCalls, from: 0, to: 1_000_000),
        count("max-taps", \.maxTaps, from: 0, to: 1_024),
        count("max-tap-calls-per-second", \.maxTapCallsPerSecond, to: 1_000_000),
        count("max-access-log-lines", \.maxAccessLogLines, to: 1_000_000),
        count("compared-body-bytes", \.comparedBodyBytes),
        count("max-pending-comparisons", \.maxPendingComparisons),
        count("shadow-bytes-per-millisecond", \.shadowBytesPerMillisecond),
        count("blocking-threads", \.blockingThreads, to: 1_024),
        count("shadow-threads", \.shadowThreads, to: 1_024),
        time("drain-delay", \.drainDelay, from: 0),
        time("drain-timeout", \.drainTimeout, from: 0),
    ]

    private static func count(
        _ name: String, _ path: any WritableKeyPath<Limits, Int> & Sendable, from least: Double = 1,
        to greatest: Double = Double(Int32.max)
    ) -> Setting {
        Setting(name: name, value: .count(path), range: least...greatest)
    }

    private static func bytes(
        _ name: String, _ path: any WritableKeyPath<Limits, Int> & Sendable
    ) -> Setting {
        count(name, path, from: 65_536, to: 1e15)
    }

    private static func time(
        _ name: String, _ path: any WritableKeyPath<Limits, Duration> & Sendable,
        from least: Double = 0.1
    ) -> Setting {
        Setting(name: name, value: .time(path), range: least...1e9)
    }
}

extension Double {
    fileprivate var formatted: String { self == rounded() ? "\(Int(self))" : "\(self)" }
}

extension HeaderLimit {
    /// The messages that headers belong to.
    enum Side { case requests, responses }

    /// The limit, and the name with which operators set it.
    func text(_ side: Side) -> String { description + (name(side).map { " (\($0))" } ?? "") }

    private func name(_ side: Side) -> String? {
        switch self {
        case .listBytes: side == .requests ? "max-header-list-bytes" : "max-response-header-bytes"
        case .fields: "max-header-fields"
        // nghttp2 has a fixed limit.
        case .fieldBytes: nil
        }
    }
}
