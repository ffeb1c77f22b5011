internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving

// Converts shadows and their comparison to and from the messages of `admin.proto`.

extension ControlState.Shadow.Options {
    init(_ message: Weir_Admin_V1_ShadowOptions) throws(ControlError) {
        self.init()
        try RequestField("options.max_requests_in_flight").set(
            &limits.maxRequestsInFlight, message.maxRequestsInFlight, 1...1_000_000)
        try RequestField("options.max_buffered_bytes").set(
            &limits.maxBufferedBytes, message.maxBufferedBytes, 1...1 << 40)
        try RequestField("options.max_buffered_bytes_per_copy").set(
            &limits.maxBufferedBytesPerCopy, message.maxBufferedBytesPerCopy, 1...1 << 40)
        try RequestField("options.timeout").set(&limits.timeout, message.timeout)
        includesOwn = message.includeOwn
    }
}

extension Weir_Admin_V1_Shadow {
    init(_ shadow: ControlState.Shadow) {
        self.init(
            backend: shadow.backend, proportion: shadow.proportion, options: .init(shadow.options))
    }
}

extension Weir_Admin_V1_ShadowOptions {
    init(_ options: ControlState.Shadow.Options) {
        let limits = options.limits
        self.init(
            maxRequestsInFlight: UInt32(limits.maxRequestsInFlight),
            maxBufferedBytes: UInt64(limits.maxBufferedBytes),
            maxBufferedBytesPerCopy: UInt64(limits.maxBufferedBytesPerCopy),
            timeout: .init(limits.timeout), includeOwn: options.includesOwn)
    }
}

extension ControlState.Comparison {
    /// Rules of each kind.
    private static let maxRules = 1_000

    init(_ message: Weir_Admin_V1_ShadowComparison) throws(ControlError) {
        self.init()
        ignoredFields = try Self.paths(message.ignoredFields, "comparison.ignored_fields")
        redactedFields = try Self.paths(message.redactedFields, "comparison.redacted_fields")
        redactedMetadata = try Self.paths(message.redactedMetadata, "comparison.redacted_metadata")
        for (index, rule) in message.tolerances.enumerated() {
            let path = "comparison.tolerances[\(index)]"
            guard index < Self.maxRules else {
                throw .invalid(path, "at most \(Self.maxRules) can be given")
            }
            try Self.check(rule.field, "\(path).field")
            guard tolerances[rule.field] == nil else {
                throw .invalid("\(path).field", "\(rule.field.quoted) is given twice")
            }
            var (absolute, relative) = (0.0, 0.0)
            try RequestField("\(path).absolute").set(
                &absolute, rule.absolute, 0...Double.greatestFiniteMagnitude)
            try RequestField("\(path).relative").set(&relative, rule.relative, 0...1)
            guard absolute > 0 || relative > 0 else {
                throw .invalid(path, "must set absolute or relative above 0")
            }
            tolerances[rule.field] = .init(absolute: absolute, relative: relative)
        }
        try RequestField("comparison.noise_proportion").set(
            &noiseProportion, message.noiseProportion, 0...1)
        try RequestField("comparison.allowed_share").set(&allowedShare, message.allowedShare, 0...1)
    }

    private static func paths(
        _ paths: [String], _ field: String
    ) throws(ControlError) -> [String] {
        for (index, path) in paths.enumerated() {
            guard index < maxRules else {
                throw .invalid("\(field)[\(index)]", "at most \(maxRules) can be given")
            }
            try check(path, "\(field)[\(index)]")
        }
        return paths
    }

    private static func check(_ text: String, _ field: String) throws(ControlError) {
        guard !text.isEmpty else { throw .invalid(field, "is empty") }
        try RequestField(field).check(text, maxBytes: 1_024)
    }

    /// The rules for comparing responses, with the descriptions of their messages.
    func rules(_ schema: Schema, replyTypes: [String: String]) -> ComparisonRules {
        ComparisonRules(
            diff: DiffRules(ignored: ignoredFields, tolerances: tolerances), schema: schema,
            replyTypes: replyTypes, redactedFields: redactedFields,
            redactedMetadata: redactedMetadata)
    }
}

extension Weir_Admin_V1_ShadowComparison {
    init(_ comparison: ControlState.Comparison) {
        self.init(
            ignoredFields: comparison.ignoredFields,
            tolerances: comparison.tolerances.sorted { $0.key < $1.key }.map {
                .init(field: $0.key, absolute: $0.value.absolute, relative: $0.value.relative)
            },
            redactedFields: comparison.redactedFields,
            redactedMetadata: comparison.redactedMetadata,
            noiseProportion: comparison.noiseProportion, allowedShare: comparison.allowedShare)
    }
}
