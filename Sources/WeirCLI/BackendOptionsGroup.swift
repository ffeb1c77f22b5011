internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// What a backend is, and how it is treated: the everyday options, and a file for all of them.
struct BackendOptionsGroup: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "gRPC servers: HOST:PORT, [IPV6]:PORT or unix:/PATH, separated by commas.",
            valueName: "address,..."))
    var upstream: String?

    @Option(
        help: ArgumentHelp(
            "A program that serves gRPC on the Unix socket $WEIR_WORKER_SOCKET; Weir runs it.",
            valueName: "command"))
    var worker: String?

    @Option(help: "Processes of a worker backend.", transform: Bounded.whole(1...UInt32.max))
    var replicas: UInt32?

    @Option(help: "Swift code in the server, by the name under which the program registered it.")
    var handler: String?

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            "Read a backend from a YAML or JSON file, in the terms of admin.proto; '-' for "
                + "standard input. Other options override it.",
            valueName: "file"))
    var file: String?

    @Option(
        help: "Requests that the backend works on at once; 0 for no limit. More wait.",
        transform: Bounded.whole(0...UInt32.max))
    var maxRequests: UInt32?

    @Option(help: "The same for each replica.", transform: Bounded.whole(0...UInt32.max))
    var maxRequestsPerReplica: UInt32?

    @Flag(inversion: .prefixedNo, help: "Same shard key, same replica.")
    var replicaAffinity: Bool?

    @Option(
        help: ArgumentHelp(
            "Send requests again that fail with these statuses; 'none' for no retries.",
            valueName: "code,..."))
    var retry: String?

    @Option(
        help: "Seconds between health checks, at most 86400; 0 for none.",
        transform: Bounded.decimal(0...86_400))
    var healthInterval: Double?

    @Option(help: "Use TLS to upstreams: PEM file of the authorities, or 'system'.")
    var tlsCa: String?

    @Option(help: "PEM file of the certificate shown to upstreams.")
    var tlsCertificate: String?

    @Option(help: "PEM file of its key.")
    var tlsKey: String?

    @Option(help: "The name that the upstream's certificate must have.")
    var tlsServerName: String?

    @Option(
        help: "A file written by protoc --include_imports --descriptor_set_out, for reflection.")
    var descriptorSet: String?

    @Option(help: "A description of the backend.")
    var description: String?

    func validate() throws {
        let kinds = [upstream, worker, handler].count { $0 != nil }
        guard kinds <= 1 else {
            throw ValidationError("give one of --upstream, --worker and --handler")
        }
    }

    /// Puts what was given into a backend.
    func apply(to backend: inout Weir_Admin_V1_Backend) throws {
        if let file { backend = try Self.read(file, name: backend.name) }
        try applyKind(to: &backend)
        if let description { backend.description = description }
        if let descriptorSet {
            backend.descriptorSet = try YAMLFile.contents(of: descriptorSet)
        }
        var options = backend.options ?? .init()
        if let maxRequests { options.maxRequestsInFlight = maxRequests }
        if let maxRequestsPerReplica { options.maxRequestsPerReplica = maxRequestsPerReplica }
        if let replicaAffinity { options.replicaAffinity = replicaAffinity }
        if let retry {
            options.retry = options.retry ?? .init()
            options.retry?.codes =
                retry == "none" ? [] : retry.split(separator: ",").map { $0.uppercased() }
        }
        if let healthInterval {
            options.healthCheck = options.healthCheck ?? .init()
            options.healthCheck?.interval = .init(seconds: healthInterval)
        }
        if backend.options != nil || options != .init() { backend.options = options }
    }

    private func applyKind(to backend: inout Weir_Admin_V1_Backend) throws {
        if let handler { backend.kind = .handler(.init(handler: handler)) }
        if let worker {
            var kind = Weir_Admin_V1_WorkerKind()
            if case .worker(let known) = backend.kind { kind = known }
            kind.command = try ShellWords.split(worker)
            backend.kind = .worker(kind)
        }
        if let replicas {
            guard case .worker(var kind) = backend.kind else {
                throw ValidationError("--replicas is for backends with --worker")
            }
            kind.replicas = replicas
            backend.kind = .worker(kind)
        }
        if let upstream {
            var kind = Weir_Admin_V1_UpstreamKind()
            if case .upstream(let known) = backend.kind { kind = known }
            kind.addresses = upstream.split(separator: ",").map(String.init)
            backend.kind = .upstream(kind)
        }
        try applyTLS(to: &backend)
    }

    private func applyTLS(to backend: inout Weir_Admin_V1_Backend) throws {
        guard tlsCa != nil || tlsCertificate != nil || tlsKey != nil || tlsServerName != nil else {
            return
        }
        guard case .upstream(var kind) = backend.kind else {
            throw ValidationError("the --tls options are for backends with --upstream")
        }
        var tls = kind.tls ?? .init()
        // The server reads the files, perhaps from another directory than this one.
        if let tlsCa { tls.caFile = tlsCa == "system" ? "" : Self.absolute(tlsCa) }
        if let tlsCertificate { tls.certificateFile = Self.absolute(tlsCertificate) }
        if let tlsKey { tls.keyFile = Self.absolute(tlsKey) }
        if let tlsServerName { tls.serverName = tlsServerName }
        kind.tls = tls
        backend.kind = .upstream(kind)
    }

    private static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }

    /// A backend from a file; its name is the argument's.
    private static func read(_ file: String, name: String) throws -> Weir_Admin_V1_Backend {
        let document = try YAMLFile(file)
        var backend: Weir_Admin_V1_Backend = try document.message()
        guard backend.name.isEmpty || backend.name == name else {
            throw ValidationError(
                document.located(
                    "name", "the file is about backend '\(backend.name)', not '\(name)'"))
        }
        backend.name = name
        return backend
    }
}
