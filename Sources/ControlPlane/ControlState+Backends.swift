extension ControlState {
    /// Adds a backend made of registered Swift code.
    mutating func createBackend(
        _ name: String, handler: String, description: String, registered: Set<String>
    ) throws(ControlError) -> Backend {
        try Self.check(name: name, field: "backend.name")
        guard backends[name] == nil else {
            throw .taken("backend '\(name)'", field: "backend.name")
        }
        try Self.check(handler: handler, registered)
        let backend = Backend(
            name: name, handler: handler, description: description, revision: revision + 1)
        backends[name] = backend
        return backend
    }

    /// Replaces what a backend is made of.
    mutating func updateBackend(
        _ name: String, handler: String, description: String, registered: Set<String>
    ) throws(ControlError) -> Backend {
        var backend = try known(backend: name)
        try Self.check(handler: handler, registered)
        backend.handler = handler
        backend.description = description
        backend.revision = revision + 1
        backends[name] = backend
        return backend
    }

    /// Removes a backend that no endpoint names.
    mutating func deleteBackend(_ name: String) throws(ControlError) {
        _ = try known(backend: name)
        let users = endpoints(naming: name)
        guard users.isEmpty else { throw .inUse(backend: name, endpoints: users) }
        backends[name] = nil
    }

    private static func check(
        handler: String, _ registered: Set<String>
    ) throws(ControlError) {
        guard !handler.isEmpty else {
            throw .invalid("backend.handler.handler", "no handler named")
        }
        guard registered.contains(handler) else {
            throw .notFound(.handler, handler, known: registered.sorted())
        }
    }
}
