internal import Messages
internal import TrafficPolicy
internal import Transcoding

/// The schemas of descriptor sets, each read once. Confined to the control plane.
struct BackendSchemas {
    /// A schema, and the bindings of its methods.
    struct Entry {
        let schema: Schema
        let bindings: TranscodingTable

        init(_ schema: Schema) {
            self.schema = schema
            bindings = TranscodingTable(schema)
        }
    }

    private var known: [UInt64: Result<Entry, MessageError>] = [:]
    private var used: Set<UInt64> = []

    /// The schema of a descriptor set.
    mutating func entry(of set: [UInt8]) throws(MessageError) -> Entry {
        let digest = KeyHash.hash(set.rawSpan, seed: 0)
        used.insert(digest)
        if let result = known[digest] { return try result.get() }
        let result = Result { () throws(MessageError) in
            Entry(try Schema(descriptorSet: set))
        }
        known[digest] = result
        return try result.get()
    }

    /// Removes the schemas that were not used since the last call.
    mutating func removeUnused() {
        known = known.filter { used.contains($0.key) }
        used = []
    }
}
