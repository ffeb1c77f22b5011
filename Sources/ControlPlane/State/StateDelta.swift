internal import TrafficPolicy

/// What leads from one state to another: whole objects as they are then, and names of those that
/// are gone.
struct StateDelta: Sendable {
    /// Sorted by name, as all of these are.
    var backends: [ControlState.Backend] = []
    var deletedBackends: [String] = []
    var endpoints: [ControlState.Endpoint] = []
    var deletedEndpoints: [String] = []

    var isEmpty: Bool {
        backends.isEmpty && deletedBackends.isEmpty && endpoints.isEmpty && deletedEndpoints.isEmpty
    }

    /// Whether it says anything about backends.
    var concernsBackends: Bool { !backends.isEmpty || !deletedBackends.isEmpty }
}

extension ControlState {
    /// What the changes made to a copy of this state have done.
    func delta(to changed: ControlState) -> StateDelta {
        StateDelta(
            backends: changed.backends.values.filter { $0.revision == nextRevision }
                .sorted { $0.name < $1.name },
            deletedBackends: backends.keys.filter { changed.backends[$0] == nil }.sorted(),
            endpoints: changed.endpoints.values.filter { $0.revision == nextRevision }
                .sorted { $0.name < $1.name },
            deletedEndpoints: endpoints.keys.filter { changed.endpoints[$0] == nil }.sorted())
    }

    /// Becomes the next revision. The only way, for a change that is made as for one that is read
    /// back, so that both lead to the same state, bit for bit.
    ///
    /// - Returns: what leads back, for `restore`.
    mutating func apply(_ delta: StateDelta) -> StateDelta {
        var undo = StateDelta()
        // At the start all of them come in one checkpoint or a few changes.
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
        revision += 1
        return undo
    }

    /// Becomes the revision before.
    ///
    /// - Parameter undo: what `apply` returned.
    mutating func restore(_ undo: StateDelta) {
        for backend in undo.backends { backends[backend.name] = backend }
        for name in undo.deletedBackends { backends[name] = nil }
        for endpoint in undo.endpoints { endpoints[endpoint.name] = endpoint }
        for name in undo.deletedEndpoints { endpoints[name] = nil }
        revision -= 1
    }
}

extension ControlState.Endpoint {
    /// Remembers the affinity map that it had, if it has another one now.
    fileprivate mutating func inherit(from before: Self) {
        history = before.history
        guard map.fragments != before.map.fragments else { return }
        history.append(before.map)
        if history.count > ControlState.keptMaps {
            history.removeFirst(history.count - ControlState.keptMaps)
        }
    }
}
