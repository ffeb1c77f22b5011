internal import GRPCWire

/// Decides which calls are traced from their start, as `OTEL_TRACES_SAMPLER` of OpenTelemetry
/// describes it.
package struct TraceSampler: Hashable, Sendable {
    /// An invalid setting.
    package struct Invalid: Error, Hashable, CustomStringConvertible {
        package let description: String
    }

    /// The names that `init(name:argument:)` accepts.
    package static let names = [
        "always_on", "always_off", "traceidratio", "parentbased_always_on",
        "parentbased_always_off", "parentbased_traceidratio",
    ]

    /// Whether the flag of the caller decides, if the caller has sent a context.
    package let isParentBased: Bool
    /// Other traces are sampled if the last 8 bytes of their id are below this bound; nil for all.
    private let bound: UInt64?

    /// - Parameter ratio: the share of traces without a caller's decision, clamped to 0...1; NaN
    ///   counts as 0.
    package init(ratio: Double = 0, isParentBased: Bool = true) {
        self.isParentBased = isParentBased
        bound = ratio >= 1 ? nil : ratio > 0 ? UInt64(ratio * 0x1p64) : 0
    }

    /// A sampler by the values of `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
    ///
    /// - Parameter argument: the ratio, 0 to 1; nil or empty for 1.
    package init(name: String, argument: String?) throws(Invalid) {
        guard Self.names.contains(name) else {
            throw Invalid(
                description: "invalid sampler \(name.quoted): use one of "
                    + Self.names.joined(separator: ", "))
        }
        let isParentBased = name.hasPrefix("parentbased_")
        if name.hasSuffix("always_on") {
            self.init(ratio: 1, isParentBased: isParentBased)
        } else if name.hasSuffix("always_off") {
            self.init(ratio: 0, isParentBased: isParentBased)
        } else {
            self.init(ratio: try Self.ratio(argument ?? ""), isParentBased: isParentBased)
        }
    }

    private static func ratio(_ text: String) throws(Invalid) -> Double {
        guard !text.isEmpty else { return 1 }
        guard
            text.utf8.allSatisfy({
                (0x30...0x39).contains($0) || $0 == 0x2e || $0 == 0x65
                    || $0 == 0x2d
            }), let ratio = Double(text), (0...1).contains(ratio)
        else {
            throw Invalid(
                description: "invalid ratio \(text.quoted): use a number from 0 to 1")
        }
        return ratio
    }

    /// Whether no trace is sampled unless its caller has set the flag.
    package var samplesOnlyByParent: Bool { isParentBased && bound == 0 }

    /// - Parameter context: that of the caller; nil without a valid one.
    /// - Returns: whether the call is traced.
    package func samples(_ context: TraceContext?, newTrace: TraceID) -> Bool {
        if isParentBased, let context { return context.isSampled }
        guard let bound else { return true }
        return (context?.traceID ?? newTrace).low < bound
    }
}
