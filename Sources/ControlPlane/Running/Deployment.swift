internal import Messages

/// The objects that run on this server for the served state. Confined to the control plane.
struct Deployment {
    var backends: RunningBackends
    var shadows = RunningShadows()
    /// The revision of the latest change of any backend.
    var backendsRevision: UInt64 = 0
    /// The schema of all backends, for reflection.
    var schema = ControlPlane.standardSchema
    var schemas = BackendSchemas()
    /// The digests of the reflected descriptors that the schema contains, by backend.
    var servedDigests: [String: UInt64?] = [:]
}
