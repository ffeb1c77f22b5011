internal import ArgumentParser
internal import Weir

/// The options of `weir serve` that protect its ports.
struct SecurityOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("PEM file of the data port's certificate.", valueName: "file"),
        completion: .file())
    var tlsCert: String?

    @Option(
        help: ArgumentHelp("PEM file of the key of that certificate.", valueName: "file"),
        completion: .file())
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities for client certificates, which are then required.",
            valueName: "file"), completion: .file())
    var tlsClientCa: String?

    @Option(
        help: ArgumentHelp("PEM file of the admin port's certificate.", valueName: "file"),
        completion: .file())
    var adminTlsCert: String?

    @Option(
        help: ArgumentHelp("PEM file of the key of that certificate.", valueName: "file"),
        completion: .file())
    var adminTlsKey: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities for operators' certificates. Operators then need a "
                + "certificate or, with --access, a token.",
            valueName: "file"), completion: .file())
    var adminTlsClientCa: String?

    @Option(
        help: ArgumentHelp(
            "The oldest TLS version to accept: 1.2 or 1.3 (default: 1.2).", valueName: "version"),
        transform: Self.version)
    var tlsMinimum: ServerTLS.Version?

    @Sendable private static func version(_ text: String) throws -> ServerTLS.Version {
        guard let version = ServerTLS.Version(rawValue: text) else {
            throw ValidationError("invalid TLS version '\(text)': use 1.2 or 1.3")
        }
        return version
    }

    @Option(
        help: ArgumentHelp(
            "The access file of the admin port; see 'weir access add'.", valueName: "file"),
        completion: .file())
    var access: String?

    @Flag(
        help:
            "Allow an admin address that other machines can reach, without TLS and authentication.")
    var insecureAdmin = false

    @Option(
        help: ArgumentHelp(
            "Serve /metrics, /healthz and /readyz also for this host name; may be repeated.",
            valueName: "name"))
    var adminHost: [String] = []

    @Option(
        help: ArgumentHelp(
            "Let scripts of pages of this origin, for example https://console.example, call the "
                + "admin port; may be repeated.",
            valueName: "origin"))
    var adminCorsOrigin: [String] = []

    @Option(
        help: ArgumentHelp(
            "The file with the secrets that sign requests to webhooks of rollouts.",
            valueName: "file"), completion: .file())
    var webhookSecret: String?

    @Option(
        help: ArgumentHelp(
            "A host that webhooks may have: HOST for ports 80 and 443, or HOST:PORT. May be "
                + "repeated.",
            valueName: "host"))
    var webhookHost: [String] = []

    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities of webhooks' servers.", valueName: "file"),
        completion: .file())
    var webhookCa: String?

    var settings: SecuritySettings {
        var settings = SecuritySettings()
        settings.dataTLS = tls(tlsCert, tlsKey, tlsClientCa.map { .required(caFile: $0) })
        settings.adminTLS = tls(
            adminTlsCert, adminTlsKey,
            adminTlsClientCa.map { access == nil ? .required(caFile: $0) : .accepted(caFile: $0) })
        settings.accessFile = access
        settings.allowsInsecureAdmin = insecureAdmin
        settings.adminHosts = adminHost
        settings.adminOrigins = adminCorsOrigin
        settings.webhookSecretFile = webhookSecret
        settings.webhookHosts = webhookHost
        settings.webhookCAFile = webhookCa
        return settings
    }

    private func tls(
        _ certificate: String?, _ key: String?, _ clients: ServerTLS.ClientCertificates?
    ) -> ServerTLS? {
        guard let certificate, let key else { return nil }
        var tls = ServerTLS(certificateFile: certificate, keyFile: key)
        tls.clientCertificates = clients ?? .ignored
        tls.minimumVersion = tlsMinimum ?? .tls12
        return tls
    }

    func validate() throws {
        try check("", tlsCert, tlsKey, tlsClientCa)
        try check("admin-", adminTlsCert, adminTlsKey, adminTlsClientCa)
        guard (webhookSecret == nil) == webhookHost.isEmpty else {
            throw ValidationError("--webhook-secret and --webhook-host require each other")
        }
        guard webhookCa == nil || webhookSecret != nil else {
            throw ValidationError("--webhook-ca requires --webhook-secret")
        }
    }

    private func check(
        _ prefix: String, _ certificate: String?, _ key: String?, _ clientCA: String?
    ) throws {
        guard (certificate == nil) == (key == nil) else {
            throw ValidationError(
                "--\(prefix)tls-cert and --\(prefix)tls-key require each other")
        }
        guard clientCA == nil || certificate != nil else {
            throw ValidationError("--\(prefix)tls-client-ca requires --\(prefix)tls-cert")
        }
    }
}
