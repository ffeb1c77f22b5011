extension ControlState {
    /// Adds a backend.
    ///
    /// - Parameter registered: the names of the handlers that this program has.
    mutating func createBackend(
        _ draft: Backend, registered: Set<String>
    ) throws(ControlError) -> Backend {
        try Self.check(name: draft.name, field: "backend.name")
        guard backends[draft.name] == nil else {
            throw .alreadyExists("backend '\(draft.name)'", field: "backend.name")
        }
        return try put(try draft.unmasked(by: nil), registered)
    }

    /// Replaces a backend.
    mutating func updateBackend(
        _ draft: Backend, registered: Set<String>
    ) throws(ControlError) -> Backend {
        let known = try existingBackend(draft.name)
        return try put(try draft.unmasked(by: known), registered)
    }

    private mutating func put(
        _ draft: Backend, _ registered: Set<String>
    ) throws(ControlError) -> Backend {
        if case .handler(let handler) = draft.kind {
            guard !handler.isEmpty else {
                throw .invalid("backend.handler.handler", "must not be empty")
            }
            guard registered.contains(handler) else {
                throw .notFound(.handler, handler, known: registered.sorted())
            }
        }
        try checkDescriptors(of: draft)
        var backend = draft
        backend.revision = nextRevision
        backends[backend.name] = backend
        return backend
    }

    /// The most bytes of all descriptor sets together. They are the largest part of a state, which
    /// an export and `Apply` transfer as one message of at most 64 MiB by default.
    static let maxDescriptorBytes = 48 << 20

    private func checkDescriptors(of draft: Backend) throws(ControlError) {
        guard !draft.descriptorSet.isEmpty else { return }
        let others = backends.values.reduce(0) {
            $0 + ($1.name == draft.name ? 0 : $1.descriptorSet.count)
        }
        guard draft.descriptorSet.count <= Self.maxDescriptorBytes - others else {
            throw .invalid(
                "backend.descriptor_set",
                "it has \(draft.descriptorSet.count) bytes, and those of the other backends have "
                    + "\(others); all descriptor sets together have at most "
                    + "\(Self.maxDescriptorBytes) bytes")
        }
    }

    /// Deletes a backend that no endpoint names.
    mutating func deleteBackend(_ name: String) throws(ControlError) {
        _ = try existingBackend(name)
        let users = endpoints(naming: name)
        guard users.isEmpty else { throw .inUse(backend: name, endpoints: users) }
        try checkRollouts(without: name)
        try checkTimeBoxes(without: name)
        backends[name] = nil
    }
}
