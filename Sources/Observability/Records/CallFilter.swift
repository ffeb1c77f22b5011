package import GRPCWire

/// The calls that a tap shows.
package struct CallFilter: Sendable {
    /// Empty for all.
    package var endpoint = ""
    /// Empty for all.
    package var backends: Set<String> = []
    /// Empty for all.
    package var codes: Set<StatusCode> = []
    /// The point of a shard key at the endpoint; nil for all calls.
    package var shardPoint: UInt64?
    /// Whether shadow copies are shown too.
    package var includesShadows = false

    package init() {}

    /// Whether the filter accepts a call.
    package func accepts(_ call: CallRecord) -> Bool {
        (endpoint.isEmpty || call.endpoint == endpoint)
            && (backends.isEmpty || backends.contains(call.backend))
            && (codes.isEmpty || codes.contains(call.code.counted))
            && (shardPoint == nil || call.shardPoint == shardPoint)
            && (includesShadows || !call.isShadow)
    }
}
