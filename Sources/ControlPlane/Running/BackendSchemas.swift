internal import Messages
internal import TrafficPolicy

/// The schemas of descriptor sets, each read once. Confined to the control plane.
struct BackendSchemas {
    private var known: [UInt64: Result<Schema, MessageError>] = [:]
    private var used: Set<UInt64> = []

    /// The schema of a descriptor set.
    mutating func schema(of set: [UInt8]) throws(MessageError) -> Schema {
        let digest = KeyHash.hash(set.rawSpan, seed: 0)
        used.insert(digest)
        if let result = known[digest] { return try result.get() }
        let result = Result { () throws(MessageError) in try Schema(descriptorSet: set) }
        known[digest] = result
        return try result.get()
    }

    /// Removes the schemas that were not used since the last call.
    mutating func removeUnused() {
        known = known.filter { used.contains($0.key) }
        used = []
    }
}
