internal import ControlPlane
internal import Logging
public import Serving
internal import Synchronization

internal import class Foundation.NSString

/// How the ports are protected.
public struct SecuritySettings: Sendable {
    /// TLS on the data port; nil for plaintext.
    public var dataTLS: ServerTLS?
    /// TLS on the admin port; nil for plaintext.
    public var adminTLS: ServerTLS?
    /// The file that says who may do what on the admin port; its form is in the README. Without one everybody
    /// who gets in may do everything.
    public var accessFile: String?
    /// Lets the admin port listen beyond the loopback address without TLS and authentication.
    public var allowsInsecureAdmin = false

    /// No protection but that of the loopback address.
    public init() {}

    /// Why a server does not start, or goes on with what it had read before.
    public struct Failure: Error, CustomStringConvertible {
        /// What is wrong, where, and what would be right.
        public let description: String
    }

    /// Whether callers of the admin port show who they are.
    private var authenticatesOperators: Bool {
        if accessFile != nil { return true }
        if case .required = adminTLS?.clientCertificates { return true }
        return false
    }

    /// Refuses an admin port that anybody could use from elsewhere.
    func check(admin: Address) throws(Failure) {
        guard !allowsInsecureAdmin, !admin.isLoopback else { return }
        var missing: [String] = []
        if adminTLS == nil { missing.append("TLS") }
        if !authenticatesOperators {
            missing.append("authentication (an access file, or required client certificates)")
        }
        guard !missing.isEmpty else { return }
        throw Failure(
            description: "the admin address \(admin) can be reached from elsewhere, which takes "
                + "\(missing.joined(separator: " and ")); "
                + "--insecure-admin (allowsInsecureAdmin) does without")
    }
}

/// What protects a running server: read at the start, and again when the files have changed.
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

    /// Reads the files for the first time.
    func start(admin: Address) throws(SecuritySettings.Failure) {
        try settings.check(admin: admin)
        let dataTLS = try Self.tls(settings.dataTLS, "the data port")
        let adminTLS = try Self.tls(settings.adminTLS, "the admin port")
        let accessFile = settings.accessFile.map { WatchedFiles([$0]) }
        if let path = settings.accessFile { access.replace(with: try Self.list(path)) }
        open.withLock { $0 = Open(dataTLS: dataTLS, adminTLS: adminTLS, accessFile: accessFile) }
    }

    /// Reads everything anew; what can't be used is left as it was.
    ///
    /// - Parameter onlyChanged: leave alone what is as it was read.
    func reload(onlyChanged: Bool, _ log: Logger) {
        for (tls, port) in [(dataTLS, "the data port"), (adminTLS, "the admin port")] {
            guard let tls, tls.hasChanged || !onlyChanged else { continue }
            do throws(TLSFailure) {
                try tls.reload()
                log.notice("certificates read", metadata: ["port": "\(port)"])
            } catch {
                log.error("the certificates stay as they were: \(Self.failure(error, port))")
            }
        }
        if let path = settings.accessFile, let file = open.withLock({ $0.accessFile }),
            file.haveChanged || !onlyChanged
        {
            do throws(SecuritySettings.Failure) {
                access.replace(with: try Self.list(path))
                log.notice("access file read", metadata: ["file": "\(path)"])
            } catch {
                log.error("the access file stays as it was: \(error)")
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

    private static func list(_ path: String) throws(SecuritySettings.Failure) -> AccessList {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw SecuritySettings.Failure(description: "can't read the access file '\(path)'")
        }
        do throws(AccessList.Invalid) {
            return try AccessList(text)
        } catch {
            throw SecuritySettings.Failure(
                description: "\(path):\(error.line): \(error.description)")
        }
    }
}
