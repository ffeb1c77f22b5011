internal import GRPCWire
internal import Messages
internal import Serving
internal import Transcoding
internal import Transport
internal import Upstream

// Converts the configuration of a backend to and from the messages of `admin.proto`.

extension Weir_Admin_V1_Backend {
    init(_ backend: ControlState.Backend, secrets: SecretValues) {
        self.init(
            name: backend.name, description: backend.description, revision: backend.revision,
            descriptorSet: backend.descriptorSet)
        switch backend.kind {
        case .handler(let handler): kind = .handler(.init(handler: handler))
        case .upstream(let addresses, let tls):
            kind = .upstream(
                .init(addresses: addresses.map(\.description), tls: tls.map { .init($0) }))
            options = .init(backend.options)
            lease = backend.lease.map { .init($0) }
        case .worker(let spec):
            kind = .worker(.init(spec))
            options = .init(backend.options)
            if secrets == .masked { mask() }
        }
    }
}

extension ControlState.Backend {
    /// The most addresses of an upstream.
    private static let maxReplicas = 1_000

    /// The longest description, in bytes.
    private static let maxDescriptionBytes = 4_096

    /// Converts the backend of a request. Does not open the files that it names.
    init(request message: Weir_Admin_V1_Backend) throws(ControlError) {
        try RequestField("backend.description").check(
            message.description, maxBytes: Self.maxDescriptionBytes, allowsLines: true)
        try self.init(message, requiresImports: true)
    }

    /// Converts a backend of a request or of a store, which may contain a description that an
    /// earlier version allowed.
    ///
    /// - Parameter requiresImports: whether a descriptor set must contain its imports.
    init(
        _ message: Weir_Admin_V1_Backend, requiresImports: Bool = false
    ) throws(ControlError) {
        let kind: Kind
        switch message.kind {
        case .handler(let handler): kind = .handler(handler.handler)
        case .upstream(let upstream):
            kind = .upstream(
                try Self.addresses(upstream.addresses),
                try upstream.tls.map { (tls) throws(ControlError) in try ClientTLS(tls) })
        case .worker(let worker): kind = .worker(try WorkerSpec(worker))
        case nil:
            throw .invalid(
                "backend.kind", "not set; set backend.handler, backend.upstream or backend.worker")
        }
        self.init(name: message.name, kind: kind, description: message.description)
        if let asked = message.options {
            if case .handler = kind {
                throw .invalid("backend.options", "apply only to upstreams and workers")
            }
            options = try BackendOptions(asked)
        }
        if let held = message.lease {
            guard case .upstream = kind else {
                throw .invalid("backend.lease", "applies only to upstreams")
            }
            lease = try Lease(held)
        }
        guard !message.descriptorSet.isEmpty else { return }
        if case .handler = kind {
            throw .invalid(
                "backend.descriptor_set", "must be empty: a handler has its own descriptors")
        }
        var schema = Schema()
        do throws(MessageError) {
            try schema.add(descriptorSet: message.descriptorSet)
        } catch {
            throw .invalid("backend.descriptor_set", "invalid FileDescriptorSet: \(error)")
        }
        if requiresImports {
            try Self.checkImports(schema.missingImports)
            if let problem = TranscodingTable(schema).problems.first {
                throw .invalid("backend.descriptor_set", problem)
            }
        }
        descriptorSet = message.descriptorSet
    }

    private static func checkImports(_ missing: [String]) throws(ControlError) {
        guard !missing.isEmpty else { return }
        let more = missing.count > 10 ? ", ..." : ""
        throw .invalid(
            "backend.descriptor_set",
            "lacks imported files: \(missing.prefix(10).joined(separator: ", "))\(more); make it "
                + "with protoc --include_imports --descriptor_set_out")
    }

    /// Rejects a backend whose files cannot be used on this machine.
    func checkFiles() throws(ControlError) {
        guard case .upstream(_, let tls?) = kind else { return }
        do throws(TLSFailure) {
            _ = try tls.load()
        } catch {
            throw .invalid("backend.upstream.tls.\(error.field)", error.description)
        }
    }

    private static func addresses(_ texts: [String]) throws(ControlError) -> [ReplicaAddress] {
        guard (1...maxReplicas).contains(texts.count) else {
            throw .invalid(
                "backend.upstream.addresses",
                "\(texts.count) addresses; give 1 to \(maxReplicas)")
        }
        var addresses: [ReplicaAddress] = []
        for (index, text) in texts.enumerated() {
            let field = "backend.upstream.addresses[\(index)]"
            let address: ReplicaAddress
            do throws(ReplicaAddress.Invalid) {
                address = try ReplicaAddress(text)
            } catch {
                throw .invalid(field, error.description)
            }
            guard !addresses.contains(address) else {
                throw .invalid(field, "\(text.quoted) is given twice")
            }
            addresses.append(address)
        }
        return addresses
    }
}

extension ClientTLS {
    private static let maxPathBytes = 4_096

    fileprivate init(_ message: Weir_Admin_V1_UpstreamTls) throws(ControlError) {
        self.init()
        let path = "backend.upstream.tls"
        for (field, file) in [
            ("ca_file", message.caFile), ("certificate_file", message.certificateFile),
            ("key_file", message.keyFile),
        ] {
            try RequestField("\(path).\(field)").check(file, maxBytes: Self.maxPathBytes)
        }
        // The longest name in DNS.
        try RequestField("\(path).server_name").check(message.serverName, maxBytes: 253)
        caFile = message.caFile
        certificateFile = message.certificateFile
        keyFile = message.keyFile
        serverName = message.serverName
    }
}

extension Weir_Admin_V1_UpstreamTls {
    fileprivate init(_ tls: ClientTLS) {
        self.init(
            caFile: tls.caFile, certificateFile: tls.certificateFile, keyFile: tls.keyFile,
            serverName: tls.serverName)
    }
}

extension WorkerSpec {
    fileprivate init(_ message: Weir_Admin_V1_WorkerKind) throws(ControlError) {
        guard let program = message.command.first, !program.isEmpty else {
            throw .invalid(
                "backend.worker.command", "must begin with the path or name of a program")
        }
        for (index, word) in message.command.enumerated() where word.utf8.contains(0) {
            throw .invalid(
                "backend.worker.command[\(index)]", "must not contain the character NUL")
        }
        self.init(command: message.command)
        guard message.replicas <= 1_000 else {
            throw .invalid("backend.worker.replicas", "is \(message.replicas); at most 1000")
        }
        replicas = max(1, Int(message.replicas))
        for name in message.environment.keys.sorted() where name.isEmpty || name.contains("=") {
            throw .invalid(
                "backend.worker.environment",
                // The text after '=' may be a secret in the wrong place.
                "invalid variable name \(String(name.prefix { $0 != "=" }).quoted): it must not be "
                    + "empty or contain '='")
        }
        for (name, value) in message.environment where (name + value).utf8.contains(0) {
            throw .invalid(
                "backend.worker.environment[\(name.quoted)]", "must not contain the character NUL")
        }
        environment = message.environment
        try RequestField("backend.worker.working_directory").check(
            message.workingDirectory, maxBytes: 4_096)
        workingDirectory = message.workingDirectory
        try RequestField("backend.worker.start_timeout").set(&startTimeout, message.startTimeout)
        try RequestField("backend.worker.grace_period").set(
            &gracePeriod, message.gracePeriod, orZero: true)
    }
}

extension Weir_Admin_V1_WorkerKind {
    init(_ spec: WorkerSpec) {
        self.init(
            command: spec.command, replicas: UInt32(spec.replicas), environment: spec.environment,
            workingDirectory: spec.workingDirectory, startTimeout: .init(spec.startTimeout),
            gracePeriod: .init(spec.gracePeriod))
    }
}

extension BackendOptions {
    fileprivate init(_ message: Weir_Admin_V1_BackendOptions) throws(ControlError) {
        self.init()
        let path = "backend.options"
        maxRequestsInFlight = Int(message.maxRequestsInFlight)
        maxRequestsPerReplica = Int(message.maxRequestsPerReplica)
        try RequestField("\(path).max_waiting_requests").set(
            &maxWaitingRequests, message.maxWaitingRequests, 0...100_000)
        try RequestField("\(path).wait_timeout").set(&waitTimeout, message.waitTimeout)
        replicaAffinity = message.replicaAffinity
        try RequestField("\(path).connect_timeout").set(&connectTimeout, message.connectTimeout)
        try RequestField("\(path).idle_timeout").set(
            &idleTimeout, message.idleTimeout, orZero: true)
        try RequestField("\(path).keepalive_interval").set(
            &keepaliveInterval, message.keepaliveInterval, orZero: true)
        try RequestField("\(path).keepalive_timeout").set(
            &keepaliveTimeout, message.keepaliveTimeout)
        try RequestField("\(path).max_connections_per_replica").set(
            &maxConnectionsPerReplica, message.maxConnectionsPerReplica, 1...1_000)
        guard message.authority.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw .invalid(
                "\(path).authority", "\(message.authority.quoted) is not printable ASCII")
        }
        authority = message.authority
        addsForwardedFor = message.forwardedFor
        if let retry = message.retry { self.retry = try RetryPolicy(retry) }
        if let check = message.healthCheck { health = try HealthCheck(check) }
        if let outliers = message.outlierDetection {
            self.outliers = try OutlierDetection(outliers)
        }
    }
}

extension Weir_Admin_V1_BackendOptions {
    init(_ options: BackendOptions) {
        self.init(
            maxRequestsInFlight: UInt32(options.maxRequestsInFlight),
            maxRequestsPerReplica: UInt32(options.maxRequestsPerReplica),
            maxWaitingRequests: UInt32(options.maxWaitingRequests),
            waitTimeout: .init(options.waitTimeout), replicaAffinity: options.replicaAffinity,
            retry: .init(options.retry), healthCheck: .init(options.health),
            outlierDetection: .init(options.outliers),
            connectTimeout: .init(options.connectTimeout),
            idleTimeout: .init(options.idleTimeout),
            keepaliveInterval: .init(options.keepaliveInterval),
            keepaliveTimeout: .init(options.keepaliveTimeout),
            maxConnectionsPerReplica: UInt32(options.maxConnectionsPerReplica),
            authority: options.authority, forwardedFor: options.addsForwardedFor)
    }
}

extension RetryPolicy {
    fileprivate init(_ message: Weir_Admin_V1_RetryOptions) throws(ControlError) {
        self.init()
        let path = "backend.options.retry"
        for (index, name) in message.codes.enumerated() {
            guard let number = StatusCode.names.firstIndex(of: name), number > 0 else {
                throw .invalid(
                    "\(path).codes[\(index)]",
                    "invalid status \(name.quoted): use for example UNAVAILABLE")
            }
            codes.insert(StatusCode(rawValue: number))
        }
        try RequestField("\(path).max_attempts").set(&maxAttempts, message.maxAttempts, 1...10)
        try RequestField("\(path).initial_delay").set(
            &initialDelay, message.initialDelay, orZero: true)
        try RequestField("\(path).max_delay").set(&maxDelay, message.maxDelay, orZero: true)
        try RequestField("\(path).budget_share").set(&budgetShare, message.budgetShare, 0...10)
        try RequestField("\(path).budget_per_second").set(
            &budgetPerSecond, message.budgetPerSecond, 0...RetryPolicy.maxPerSecond)
    }
}

extension Weir_Admin_V1_RetryOptions {
    fileprivate init(_ policy: RetryPolicy) {
        self.init(
            codes: policy.codes.sorted { $0.rawValue < $1.rawValue }.map(\.description),
            maxAttempts: UInt32(policy.maxAttempts), initialDelay: .init(policy.initialDelay),
            maxDelay: .init(policy.maxDelay), budgetShare: policy.budgetShare,
            budgetPerSecond: policy.budgetPerSecond)
    }
}

extension HealthCheck {
    fileprivate init(_ message: Weir_Admin_V1_HealthCheckOptions) throws(ControlError) {
        self.init()
        let path = "backend.options.health_check"
        try RequestField("\(path).interval").set(&interval, message.interval, orZero: true)
        try RequestField("\(path).timeout").set(&timeout, message.timeout)
        try RequestField("\(path).service").check(message.service, maxBytes: 256)
        service = message.service
        try RequestField("\(path).healthy_threshold").set(
            &healthyThreshold, message.healthyThreshold, 1...100)
        try RequestField("\(path).unhealthy_threshold").set(
            &unhealthyThreshold, message.unhealthyThreshold, 1...100)
    }
}

extension Weir_Admin_V1_HealthCheckOptions {
    fileprivate init(_ check: HealthCheck) {
        self.init(
            interval: .init(check.interval), timeout: .init(check.timeout), service: check.service,
            healthyThreshold: UInt32(check.healthyThreshold),
            unhealthyThreshold: UInt32(check.unhealthyThreshold))
    }
}

extension OutlierDetection {
    fileprivate init(_ message: Weir_Admin_V1_OutlierOptions) throws(ControlError) {
        self.init()
        let path = "backend.options.outlier_detection"
        try RequestField("\(path).consecutive_failures").set(
            &consecutiveFailures, message.consecutiveFailures, 0...1_000_000)
        try RequestField("\(path).failure_share").set(&failureShare, message.failureShare, 0...1)
        try RequestField("\(path).minimum_requests").set(
            &minimumRequests, message.minimumRequests, 1...1_000_000)
        try RequestField("\(path).interval").set(&interval, message.interval)
        try RequestField("\(path).base_ejection").set(&baseEjection, message.baseEjection)
        try RequestField("\(path).max_ejection").set(&maxEjection, message.maxEjection)
        try RequestField("\(path).max_ejected_share").set(
            &maxEjectedShare, message.maxEjectedShare, 0...1)
    }
}

extension Weir_Admin_V1_OutlierOptions {
    fileprivate init(_ settings: OutlierDetection) {
        self.init(
            consecutiveFailures: UInt32(settings.consecutiveFailures),
            failureShare: settings.failureShare,
            minimumRequests: UInt32(settings.minimumRequests), interval: .init(settings.interval),
            baseEjection: .init(settings.baseEjection), maxEjection: .init(settings.maxEjection),
            maxEjectedShare: settings.maxEjectedShare)
    }
}
