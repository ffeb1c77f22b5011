internal import TrafficPolicy

/// The difference between two states: the new versions of changed objects, and the names of deleted
/// ones.
struct StateDelta: Sendable {
    /// Sorted by name, like the other arrays.
    var backends: [ControlState.Backend] = []
    var deletedBackends: [String] = []
    var endpoints: [ControlState.Endpoint] = []
    var deletedEndpoints: [String] = []
    /// Nil if the freeze does not change.
    var freeze: ControlState.FreezeChange?

    var isEmpty: Bool {
        backends.isEmpty && deletedBackends.isEmpty && endpoints.isEmpty && deletedEndpoints.isEmpty
            && freeze == nil
    }

    /// Whether it changes or deletes backends.
    var changesBackends: Bool { !backends.isEmpty || !deletedBackends.isEmpty }
}

extension ControlState {
    /// The difference between this state and a changed copy of it.
    func delta(to changed: ControlState) -> StateDelta {
        StateDelta(
            backends: changed.backends.values.filter { $0.revision == nextRevision }
                .sorted { $0.name < $1.name },
            deletedBackends: backends.keys.filter { changed.backends[$0] == nil }.sorted(),
            endpoints: changed.endpoints.values.filter { $0.revision == nextRevision }
                .sorted { $0.name < $1.name },
            deletedEndpoints: endpoints.keys.filter { changed.endpoints[$0] == nil }.sorted(),
            freeze: changed.freeze == freeze ? nil : .init(freeze: changed.freeze))
    }

    /// Applies the next revision. Used for a change of this server and for one from a store, so
    /// that both make the same state, bit for bit.
    ///
    /// - Returns: the inverse, for `restore`.
    mutating func apply(_ delta: StateDelta) -> StateDelta {
        var undo = StateDelta()
        // At the start, one checkpoint or a few changes contain all of them.
        if delta.backends.count > backends.count {
            backends.reserveCapacity(backends.count + delta.backends.count)
        }
        for backend in delta.backends {
            if let before = backends[backend.name] {
                undo.backends.append(before)
            } else {
                undo.deletedBackends.append(backend.name)
            }
            backends[backend.name] = backend
        }
        for name in delta.deletedBackends {
            if let before = backends.removeValue(forKey: name) { undo.backends.append(before) }
        }
        for endpoint in delta.endpoints {
            var endpoint = endpoint
            if let before = endpoints[endpoint.name] {
                undo.endpoints.append(before)
                endpoint.inherit(from: before)
            } else {
                undo.deletedEndpoints.append(endpoint.name)
            }
            endpoints[endpoint.name] = endpoint
        }
        for name in delta.deletedEndpoints {
            if let before = endpoints.removeValue(forKey: name) { undo.endpoints.append(before) }
        }
        if let change = delta.freeze {
            undo.freeze = .init(freeze: freeze)
            freeze = change.freeze
        }
        revision += 1
        return undo
    }

    /// Restores the revision before.
    ///
    /// - Parameter undo: the result of `apply`.
    mutating func restore(_ undo: StateDelta) {
        for backend in undo.backends { backends[backend.name] = backend }
        for name in undo.deletedBackends { backends[name] = nil }
        for endpoint in undo.endpoints { endpoints[endpoint.name] = endpoint }
        for name in undo.deletedEndpoints { endpoints[name] = nil }
        if let change = undo.freeze { freeze = change.freeze }
        revision -= 1
    }
}

extension ControlState.Endpoint {
    /// Keeps the earlier affinity map, if the map changed.
    fileprivate mutating func inherit(from before: Self) {
        history = before.history
        guard map.fragments != before.map.fragments else { return }
        history.append(before.map)
        if history.count > ControlState.keptMaps {
            history.removeFirst(history.count - ControlState.keptMaps)
        }
    }
}
