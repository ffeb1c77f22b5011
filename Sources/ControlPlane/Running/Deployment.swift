internal import Messages
internal import Serving
internal import Transcoding

/// The objects that run on this server for the served state. Confined to the control plane.
struct Deployment {
    var backends: RunningBackends
    var shadows = RunningShadows()
    /// The revision of the latest change of any backend.
    var backendsRevision: UInt64 = 0
    /// The schema of all backends, for reflection.
    var schema = ControlPlane.standardSchema
    var schemas = BackendSchemas()
    /// The bindings of `google.api.http` of the backends that have some.
    var bindings: [String: TranscodingTable] = [:]
    /// The routes that were made of them last.
    var httpRoutes: (key: HTTPRoutesKey, routes: HTTPRoutes)?
    /// The digests of the reflected descriptors that the schema contains, by backend.
    var servedDigests: [String: UInt64?] = [:]
}
