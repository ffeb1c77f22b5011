internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// The options that define a backend: the common ones, and a file for all of them.
struct BackendOptionsGroup: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Addresses of gRPC servers: HOST:PORT, [IPV6]:PORT or unix:/PATH.",
            valueName: "address,..."))
    var upstream: String?

    @Option(
        help: ArgumentHelp(
            "A program for Weir to run. It serves gRPC on the Unix socket $WEIR_WORKER_SOCKET.",
            valueName: "command"))
    var worker: String?

    @Option(
        help: "The number of processes of a worker backend.",
        transform: Bounded.whole(1...UInt32.max))
    var replicas: UInt32?

    @Option(help: "The name of a handler that the server's program registered.")
    var handler: String?

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            "A YAML or JSON file with a Backend message of admin.proto; '-' for "
                + "standard input. Other options override the file.",
            valueName: "file"), completion: .file())
    var file: String?

    @Option(
        help: "The limit of concurrent requests; 0 for no limit. Further requests wait.",
        transform: Bounded.whole(0...UInt32.max))
    var maxRequests: UInt32?

    @Option(
        help: "The limit of concurrent requests of each replica; 0 for no limit.",
        transform: Bounded.whole(0...UInt32.max))
    var maxRequestsPerReplica: UInt32?

    @Flag(
        inversion: .prefixedNo,
        help: "Route all requests with the same shard key to the same replica.")
    var replicaAffinity: Bool?

    @Option(
        help: ArgumentHelp(
            "Retry requests that fail with these statuses; 'none' for no retries.",
            valueName: "code,..."))
    var retry: String?

    @Option(
        help: "Seconds between health checks, at most 86400; 0 for none.",
        transform: Bounded.decimal(0...86_400))
    var healthInterval: Double?

    @Option(help: "Use TLS to upstreams: PEM file of the authorities, or 'system'.")
    var tlsCa: String?

    @Option(help: "PEM file of the certificate that Weir presents to upstreams.")
    var tlsCertificate: String?

    @Option(help: "PEM file of the key of that certificate.")
    var tlsKey: String?

    @Option(help: "The name that the upstream's certificate must have.")
    var tlsServerName: String?

    @Option(
        help: """
            A file written by protoc --include_imports --descriptor_set_out (default: the \
            backend's server reflection).
            """)
    var descriptorSet: String?

    @Option(help: "A description of the backend.")
    var description: String?

    func validate() throws {
        let kinds = [upstream, worker, handler].count { $0 != nil }
        guard kinds <= 1 else {
            throw ValidationError("--upstream, --worker and --handler exclude each other")
        }
    }

    /// Applies the given options to a backend.
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
                throw ValidationError("--replicas requires a worker backend")
            }
            kind.replicas = replicas
            backend.kind = .worker(kind)
        }
        if let upstream {
            var kind = Weir_Admin_V1_UpstreamKind()
            if case .upstream(let known) = backend.kind { kind = known }
            kind.addresses = upstream.split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            backend.kind = .upstream(kind)
        }
        try applyTLS(to: &backend)
    }

    private func applyTLS(to backend: inout Weir_Admin_V1_Backend) throws {
        guard tlsCa != nil || tlsCertificate != nil || tlsKey != nil || tlsServerName != nil else {
            return
        }
        guard case .upstream(var kind) = backend.kind else {
            throw ValidationError("the --tls options require an upstream backend")
        }
        var tls = kind.tls ?? .init()
        // The server reads the files, and its working directory can differ.
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

    /// Reads a backend from a file. Its name is that of the command's argument.
    private static func read(_ file: String, name: String) throws -> Weir_Admin_V1_Backend {
        let document = try YAMLFile(file)
        var backend: Weir_Admin_V1_Backend = try document.message()
        guard backend.name.isEmpty || backend.name == name else {
            throw FileError(
                description: document.located(
                    "name", "the file describes backend '\(backend.name)', not '\(name)'"))
        }
        backend.name = name
        return backend
    }
}
