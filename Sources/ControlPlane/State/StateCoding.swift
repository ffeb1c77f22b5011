internal import FoundationEssentials
internal import Messages
internal import Serving
internal import StateStores
internal import TrafficPolicy
internal import Upstream

// Converts the control state to and from the messages of `store.proto`. A state that was written
// and read again is the same, bit for bit.

/// Stored bytes that cannot be decoded.
struct UnreadableState: Error, CustomStringConvertible {
    let description: String
}

extension RevisionRecord {
    /// The bytes in the store.
    ///
    /// - Parameter state: the state before it, whose descriptor sets it does not repeat.
    func bytes(after state: ControlState) throws(MessageError) -> [UInt8] {
        let hasSets = delta.backends.contains { !$0.descriptorSet.isEmpty }
        var sets = hasSets ? DescriptorSets(of: state) : DescriptorSets()
        return try Weir_Store_V1_Revision(self, &sets).serializedBytes()
    }

    /// - Parameters:
    ///   - hash: of the stored bytes.
    ///   - sets: the descriptor sets of the revisions before; those of this one are added.
    init(
        _ message: Weir_Store_V1_Revision, hash: UInt64, _ sets: inout DescriptorSets
    ) throws(UnreadableState) {
        let time = message.time ?? .init()
        guard Google_Protobuf_Timestamp.secondsRange.contains(time.seconds) else {
            throw UnreadableState(
                description:
                    "revision \(message.revision): the time of \(time.seconds) s is not in "
                    + "the years 1 to 9999")
        }
        var backends = message.backends
        try sets.restore(message.descriptorSets, message.backendDescriptorSets, to: &backends)
        self.init(
            revision: message.revision, time: Date(time),
            author: message.author, comment: message.comment, summary: message.summary,
            delta: StateDelta(
                backends: try backends.map(ControlState.Backend.init(stored:)),
                deletedBackends: message.deletedBackends,
                endpoints: try message.endpoints.map(ControlState.Endpoint.init),
                deletedEndpoints: message.deletedEndpoints,
                freeze: try message.freeze.map { (change) throws(UnreadableState) in
                    .init(freeze: try ControlState.Freeze.read(change.freeze))
                }),
            previousHash: message.previousHash, hash: hash)
    }
}

extension Weir_Store_V1_Revision {
    fileprivate init(_ record: RevisionRecord, _ sets: inout DescriptorSets) {
        var backends = record.delta.backends.map { Weir_Admin_V1_Backend(stored: $0) }
        let (new, references) = sets.extract(from: &backends)
        self.init(
            revision: record.revision, time: .init(record.time), author: record.author,
            comment: record.comment, summary: record.summary,
            backends: backends,
            deletedBackends: record.delta.deletedBackends,
            endpoints: record.delta.endpoints.map { .init($0, withEarlierMaps: false) },
            deletedEndpoints: record.delta.deletedEndpoints,
            previousHash: record.previousHash,
            descriptorSets: new, backendDescriptorSets: references,
            freeze: record.delta.freeze.map { .init(freeze: $0.freeze.map { .init($0) }) })
    }
}

extension ControlState.Freeze {
    fileprivate static func read(
        _ message: Weir_Admin_V1_Freeze?
    ) throws(UnreadableState) -> ControlState.Freeze? {
        guard let message else { return nil }
        guard let freeze = ControlState.Freeze(stored: message) else {
            throw UnreadableState(description: "the times of a freeze are invalid")
        }
        return freeze
    }
}

extension ControlState {
    /// - Parameter sets: the descriptor sets of the checkpoint are added to it.
    init(
        _ message: Weir_Store_V1_Checkpoint, _ sets: inout DescriptorSets
    ) throws(UnreadableState) {
        if let problem = StoredRecord.problem(message.revision) {
            throw UnreadableState(description: "a checkpoint: \(problem)")
        }
        var backends = message.backends
        try sets.restore(message.descriptorSets, message.backendDescriptorSets, to: &backends)
        self.init(
            revision: message.revision,
            backends: try backends.map(Backend.init(stored:)),
            endpoints: try message.endpoints.map(Endpoint.init),
            freeze: try Freeze.read(message.freeze))
    }
}

extension HashChain {
    /// The hashes in a checkpoint.
    init(_ message: Weir_Store_V1_Checkpoint) throws(UnreadableState) {
        guard message.earlierHashes.count <= message.revision else {
            throw UnreadableState(
                description: "a checkpoint of revision \(message.revision) contains "
                    + "\(message.earlierHashes.count) hashes of earlier revisions")
        }
        self.init(identity: message.identity, start: message.revision, hash: message.hash)
        prepend(message.earlierHashes)
    }
}

extension Weir_Store_V1_Checkpoint {
    /// - Parameter chain: the chain of the state's history.
    init(_ state: ControlState, _ chain: HashChain) {
        var backends = state.backends.values.sorted { $0.name < $1.name }
            .map { Weir_Admin_V1_Backend(stored: $0) }
        var sets = DescriptorSets()
        let (new, references) = sets.extract(from: &backends)
        self.init(
            revision: state.revision,
            backends: backends,
            endpoints: state.endpoints.values.sorted { $0.name < $1.name }
                .map { .init($0, withEarlierMaps: true) },
            hash: chain[state.revision] ?? HashChain.unknown,
            earlierHashes: chain.hashes(before: state.revision)
                .suffix(StateHistory.keptHashes),
            identity: chain.identity,
            descriptorSets: new, backendDescriptorSets: references,
            freeze: state.freeze.map { .init($0) })
    }
}

extension Weir_Admin_V1_Backend {
    /// Omits default options, which would be most of a backend's bytes.
    fileprivate init(stored backend: ControlState.Backend) {
        self.init(backend, secrets: .revealed)
        if backend.options == BackendOptions() { options = nil }
    }
}

extension ControlState.Backend {
    fileprivate init(stored message: Weir_Admin_V1_Backend) throws(UnreadableState) {
        do throws(ControlError) {
            try self.init(message)
        } catch {
            throw UnreadableState(description: "backend '\(message.name)': \(error.message)")
        }
        revision = message.revision
    }
}

extension ControlState.Endpoint {
    fileprivate init(_ message: Weir_Store_V1_Endpoint) throws(UnreadableState) {
        func unreadable(_ problem: String) -> UnreadableState {
            UnreadableState(description: "endpoint '\(message.name)': \(problem)")
        }
        guard let route = Route(message.route) else {
            throw unreadable("invalid route '\(message.route)'")
        }
        let stored = message.weights.map { ($0.backend, $0.weight) }
        guard let weights = TrafficWeights(stored: stored) else {
            throw unreadable("its weights are invalid")
        }
        guard let map = message.map.flatMap(AffinityMap.init) else {
            throw unreadable("its affinity map does not cover the key space")
        }
        self.init(name: message.name, route: route, weights: weights, map: map)
        history = try message.earlierMaps.map { (earlier) throws(UnreadableState) in
            guard let map = AffinityMap(earlier) else {
                throw unreadable("an earlier affinity map does not cover the key space")
            }
            return map
        }
        do throws(ControlError) {
            shadows = try message.shadows.map { (shadow) throws(ControlError) in
                guard shadow.proportion > 0, shadow.proportion <= 1 else {
                    let error = PolicyError.proportionOutOfRange(
                        backend: shadow.backend, value: shadow.proportion)
                    throw .invalid("shadows.proportion", error.description)
                }
                return .init(
                    backend: shadow.backend, proportion: shadow.proportion,
                    options: try .init(shadow.options ?? .init()))
            }
            comparison = try .init(message.comparison ?? .init())
            rateLimit = try message.rateLimit.map { (limit) throws(ControlError) in
                try .init(limit)
            }
            methods = try HTTPMethods(message.methods)
            cors = try CORSPolicy?(message.cors)
            httpShardKey = try HTTPShardKey?(message.httpShardKey)
        } catch {
            throw unreadable(error.message)
        }
        rollout = try message.rollout.flatMap { (rollout) throws(UnreadableState) in
            do throws(UnreadableState) {
                return try ControlState.Rollout(rollout)
            } catch {
                // A rollout that has ended determines nothing.
                if [.aborted, .succeeded].contains(rollout.phase) { return nil }
                throw unreadable(error.description)
            }
        }
        timeBox = try message.timeBox.map { (box) throws(UnreadableState) in
            guard let change = ControlState.TimedChange(box) else {
                throw unreadable("its change that reverts is invalid")
            }
            return change
        }
        revision = message.revision
    }
}

extension Weir_Store_V1_Endpoint {
    fileprivate init(_ endpoint: ControlState.Endpoint, withEarlierMaps: Bool) {
        self.init(
            name: endpoint.name, route: endpoint.route.description,
            weights: .init(endpoint.weights), map: .init(endpoint.map),
            shadows: endpoint.shadows.map { .init($0) },
            comparison: endpoint.comparison == .init() ? nil : .init(endpoint.comparison),
            revision: endpoint.revision,
            earlierMaps: withEarlierMaps ? endpoint.history.map { .init($0) } : [],
            rateLimit: endpoint.rateLimit.map { .init($0) },
            rollout: endpoint.rollout.map { .init($0) },
            timeBox: endpoint.timeBox.map { .init($0) }, methods: endpoint.methods.names,
            cors: endpoint.cors.map { .init($0) },
            httpShardKey: endpoint.httpShardKey.map { .init($0) })
    }
}

extension AffinityMap {
    fileprivate init?(_ message: Weir_Store_V1_AffinityMap) {
        func holder(_ index: UInt32, since: UInt64) -> Holder? {
            guard index < message.owners.count else { return nil }
            return Holder(owner: message.owners[Int(index)], since: since)
        }
        let count = message.starts.count
        guard message.holders.count == count, message.since.count == count,
            message.lineageLengths.count == count,
            message.lineageHolders.count == message.lineageSince.count,
            message.lineageLengths.reduce(0, { $0 + Int($1) }) == message.lineageHolders.count
        else { return nil }
        var fragments: [Fragment] = []
        fragments.reserveCapacity(count)
        var next = 0
        for index in 0..<count {
            let end = next + Int(message.lineageLengths[index])
            let lineage = (next..<end).compactMap {
                holder(message.lineageHolders[$0], since: message.lineageSince[$0])
            }
            guard lineage.count == end - next,
                let current = holder(message.holders[index], since: message.since[index])
            else { return nil }
            fragments.append(
                Fragment(start: message.starts[index], holder: current, lineage: lineage))
            next = end
        }
        self.init(stored: fragments, generation: message.generation)
    }
}

extension Weir_Store_V1_AffinityMap {
    fileprivate init(_ map: AffinityMap) {
        self.init(generation: map.generation)
        var indices: [String: UInt32] = [:]
        func index(_ owner: String) -> UInt32 {
            if let known = indices[owner] { return known }
            let new = UInt32(owners.count)
            owners.append(owner)
            indices[owner] = new
            return new
        }
        for fragment in map.fragments {
            starts.append(fragment.start)
            holders.append(index(fragment.holder.owner))
            since.append(fragment.holder.since)
            lineageLengths.append(UInt32(fragment.lineage.count))
            for earlier in fragment.lineage {
                lineageHolders.append(index(earlier.owner))
                lineageSince.append(earlier.since)
            }
        }
    }
}

extension ProtobufMessage {
    static func read(_ bytes: [UInt8], _ kind: String) throws(UnreadableState) -> Self {
        do throws(MessageError) {
            return try Self(serializedBytes: bytes)
        } catch {
            throw UnreadableState(description: "a \(kind) cannot be read: \(error.description)")
        }
    }
}
