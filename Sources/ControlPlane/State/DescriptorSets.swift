internal import Messages
internal import TrafficPolicy

/// The descriptor sets that a history contains, by their hash. Each of them is stored once, in the
/// revision in which a backend first has it. Backends refer to it by the hash.
struct DescriptorSets {
    private var sets: [UInt64: [UInt8]] = [:]

    init() {}

    /// The sets of a state's backends.
    init(of state: ControlState) {
        for backend in state.backends.values where !backend.descriptorSet.isEmpty {
            add(backend.descriptorSet)
        }
    }

    private static func hash(_ set: [UInt8]) -> UInt64 { KeyHash.hash(set.rawSpan, seed: 0) }

    mutating func add(_ set: [UInt8]) { sets[Self.hash(set)] = set }

    // MARK: Encoding

    /// Moves the descriptor sets out of stored backends.
    ///
    /// - Returns: the sets that were not in this collection, which now contains them; and a
    ///   reference for each backend, or an empty array if no backend needs one.
    mutating func extract(
        from backends: inout [Weir_Admin_V1_Backend]
    ) -> (new: [[UInt8]], references: [UInt64]) {
        var new: [[UInt8]] = []
        var references: [UInt64] = []
        for index in backends.indices {
            let set = backends[index].descriptorSet
            let hash = set.isEmpty ? 0 : Self.hash(set)
            let known = sets[hash]
            // 0 stands for no reference, and another set may have the same hash.
            guard hash != 0, known == nil || known == set else {
                references.append(0)
                continue
            }
            if known == nil {
                new.append(set)
                sets[hash] = set
            }
            backends[index].descriptorSet = []
            references.append(hash)
        }
        return (new, references.contains { $0 != 0 } ? references : [])
    }

    // MARK: Decoding

    /// Puts the descriptor sets back that `extract` moved out. Backends of earlier versions of Weir
    /// contain their sets, to which later revisions refer too.
    mutating func restore(
        _ new: [[UInt8]], _ references: [UInt64], to backends: inout [Weir_Admin_V1_Backend]
    ) throws(UnreadableState) {
        for set in new { add(set) }
        for backend in backends where !backend.descriptorSet.isEmpty { add(backend.descriptorSet) }
        guard !references.isEmpty else { return }
        guard references.count == backends.count else {
            throw UnreadableState(
                description: "\(references.count) references to descriptor sets for "
                    + "\(backends.count) backends")
        }
        for (index, hash) in references.enumerated() where hash != 0 {
            guard let set = sets[hash] else {
                throw UnreadableState(
                    description: "backend '\(backends[index].name)': its descriptor set is missing")
            }
            backends[index].descriptorSet = set
        }
    }
}
