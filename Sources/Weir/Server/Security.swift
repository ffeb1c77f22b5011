internal import ControlPlane
internal import Logging
internal import Serving
internal import Synchronization
internal import Webhooks

/// The security settings of both ports.
public struct SecuritySettings: Sendable {
    /// TLS on the data port; nil for plaintext.
    public var dataTLS: ServerTLS?
    /// TLS on the admin port; nil for plaintext.
    public var adminTLS: ServerTLS?
    /// The access file of the admin port, which lists credentials and roles; see <doc:Security>.
    /// Without one, every client has the role admin.
    public var accessFile: String?
    /// Host names that the admin port accepts over plain HTTP, in addition to IP addresses, names
    /// without a dot, the host of the admin address and the name of this machine. The server
    /// answers other names with status 421. Otherwise a web page could resolve its own name to this
    /// server and read the responses (DNS rebinding).
    public var adminHosts: [String] = []
    /// The origins of web pages whose scripts may call the admin port, for example
    /// `https://console.example`; with `*` all, without credentials of the browser.
    public var adminOrigins: [String] = []
    /// The file with the secrets that sign requests to webhooks of rollouts; nil to call none. It
    /// has the form of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes.
    public var webhookSecretFile: String?
    /// The hosts that webhooks may have: `HOST` or `HOST:PORT`.
    public var webhookHosts: [String] = []
    /// PEM file with the authorities of webhooks' `https` servers; nil for those of the system.
    public var webhookCAFile: String?
    /// Allows an admin address other than loopback without TLS and authentication.
    public var allowsInsecureAdmin = false

    /// The default: no TLS and no authentication, which only a loopback admin address allows.
    public init() {}

    /// Why a server does not start, or keeps its previous settings.
    public struct Failure: Error, CustomStringConvertible {
        /// The error: what is wrong, where, and what would be correct.
        public let description: String
    }

    /// Whether clients of the admin port must authenticate.
    private var authenticatesOperators: Bool {
        if accessFile != nil { return true }
        if case .required = adminTLS?.clientCertificates { return true }
        return false
    }

    /// What calls webhooks; nil without a secret.
    func webhooks() throws(Failure) -> WebhookSettings? {
        guard let webhookSecretFile else { return nil }
        do throws(WebhookSettings.Failure) {
            return try WebhookSettings(
                secretFile: webhookSecretFile, hosts: webhookHosts, caFile: webhookCAFile ?? "")
        } catch {
            throw Failure(description: error.description)
        }
    }

    /// Which scripts may call the admin port; nil without origins.
    func adminCORS() throws(Failure) -> CORSPolicy? {
        guard !adminOrigins.isEmpty else { return nil }
        do throws(CORSPolicy.Invalid) {
            return try CORSPolicy(
                origins: adminOrigins, headers: ["authorization"],
                allowsCredentials: !adminOrigins.contains("*"))
        } catch {
            throw Failure(description: error.reason)
        }
    }

    /// Rejects an admin port that another machine could use without authentication.
    func check(admin: Address) throws(Failure) {
        _ = try adminCORS()
        guard !allowsInsecureAdmin, !admin.isLoopback else { return }
        var missing: [String] = []
        if adminTLS == nil { missing.append("TLS") }
        if !authenticatesOperators {
            missing.append("authentication (an access file, or required client certificates)")
        }
        guard !missing.isEmpty else { return }
        throw Failure(
            description: "the admin address \(admin) requires "
                + "\(missing.joined(separator: " and ")), because other machines can reach it; "
                + "--insecure-admin (allowsInsecureAdmin) disables this check")
    }
}

/// The certificates and the access file of a running server. It reads them at the start and when
/// they change.
final class Security: Sendable {
    private struct Open {
        var dataTLS: ServedTLS?
        var adminTLS: ServedTLS?
        var accessFile: WatchedFiles?
    }

    let access = Access()
    private let settings: SecuritySettings
    private let open = Mutex(Open())

    init(_ settings: SecuritySettings) { self.settings = settings }

    var dataTLS: ServedTLS? { open.withLock { $0.dataTLS } }
    var adminTLS: ServedTLS? { open.withLock { $0.adminTLS } }

    /// The ports with TLS, by their names in errors.
    private var ports: [(tls: ServedTLS, name: String)] {
        [(dataTLS, Self.dataPort), (adminTLS, Self.adminPort)].compactMap { tls, name in
            tls.map { ($0, name) }
        }
    }

    private static let dataPort = "the data port"
    private static let adminPort = "the admin port"

    /// The certificates that new connections receive.
    var certificates: [ServerFacts.PortCertificates] {
        [("data", dataTLS), ("admin", adminTLS)].compactMap { name, tls in
            tls.map { ServerFacts.PortCertificates(port: name, chain: $0.certificates) }
        }
    }

    /// Reads the files for the first time.
    func start(admin: Address, _ log: Logger) throws(SecuritySettings.Failure) {
        try settings.check(admin: admin)
        let dataTLS = try Self.tls(settings.dataTLS, Self.dataPort)
        let adminTLS = try Self.tls(settings.adminTLS, Self.adminPort)
        let accessFile = settings.accessFile.map { WatchedFiles([$0]) }
        open.withLock { $0 = Open(dataTLS: dataTLS, adminTLS: adminTLS, accessFile: accessFile) }
        for port in ports { Self.warn(port.tls.warnings, log) }
        if let path = settings.accessFile { access.replace(with: try Self.list(path, log)) }
    }

    /// Rereads the files. If a file is invalid, the server logs the error and keeps the previous
    /// content.
    ///
    /// - Parameter onlyChanged: whether to skip unchanged files.
    func reload(onlyChanged: Bool, _ log: Logger) {
        for (tls, port) in ports where tls.checkForChange() || !onlyChanged {
            do throws(TLSFailure) {
                try tls.reload()
                Self.warn(tls.warnings, log)
                log.notice("certificates read", metadata: ["port": "\(port)"])
            } catch {
                log.error("the previous certificates stay in use: \(Self.failure(error, port))")
            }
        }
        if let path = settings.accessFile, let file = open.withLock({ $0.accessFile }),
            file.checkForChange() || !onlyChanged
        {
            file.restart()
            do throws(SecuritySettings.Failure) {
                access.replace(with: try Self.list(path, log))
                log.notice("access file read", metadata: ["file": "\(path)"])
            } catch {
                log.error("the previous access file stays in use: \(error)")
            }
        }
    }

    private static func tls(
        _ settings: ServerTLS?, _ port: String
    ) throws(SecuritySettings.Failure) -> ServedTLS? {
        guard let settings else { return nil }
        do throws(TLSFailure) {
            return try ServedTLS(settings)
        } catch {
            throw failure(error, port)
        }
    }

    private static func failure(_ error: TLSFailure, _ port: String) -> SecuritySettings.Failure {
        SecuritySettings.Failure(description: "TLS of \(port): \(error.description)")
    }

    private static func warn(_ warnings: [String], _ log: Logger) {
        for warning in warnings { log.warning("\(warning)") }
    }

    private static func list(
        _ path: String, _ log: Logger
    ) throws(SecuritySettings.Failure) -> AccessList {
        let file: TrustedFile
        let text: String
        do throws(TrustedFile.Failure) {
            file = try TrustedFile(path, isSecret: true)
            text = try file.text()
        } catch {
            throw SecuritySettings.Failure(description: "access file: \(error)")
        }
        warn(file.warnings, log)
        do throws(AccessList.Invalid) {
            return try AccessList(text)
        } catch {
            throw SecuritySettings.Failure(
                description: "\(path):\(error.line): \(error.description)")
        }
    }
}
