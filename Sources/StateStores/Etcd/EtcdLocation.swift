internal import FoundationEssentials
internal import Transport

/// An etcd cluster, and the place of the state in it.
package struct EtcdLocation: Sendable, Equatable {
    /// The addresses of its members, of which one suffices.
    let endpoints: [Address]
    /// Nil for plaintext.
    private(set) var tls: ClientTLS?
    /// The start of all keys. Servers with the same prefix share one state.
    package private(set) var prefix = "weir"
    private(set) var user: String?
    /// Nil for the environment's `WEIR_ETCD_PASSWORD`.
    private(set) var passwordFile: String?
    /// The time in seconds for which a server that failed stays a member.
    private(set) var leaseSeconds: Int64 = 10

    /// Reads `http://HOST:PORT[,HOST:PORT...][?NAME=VALUE&...]`.
    package init(_ text: String) throws(StoreLocation.Invalid) {
        let halves = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var scheme = ""
        var endpoints: [Address] = []
        // A text without the separator is one part, so there is at least one endpoint.
        for part in halves[0].split(separator: ",", omittingEmptySubsequences: false) {
            var host = part
            for known in ["http", "https"] where part.hasPrefix("\(known)://") {
                guard scheme.isEmpty || scheme == known else {
                    throw Self.invalid(text, "the endpoints must be all http or all https")
                }
                scheme = known
                host = part.dropFirst(known.count + 3)
            }
            guard !host.contains("@") else {
                throw Self.invalid(
                    text,
                    "an endpoint must not contain a user: use ?user=NAME and WEIR_ETCD_PASSWORD")
            }
            do throws(AddressError) {
                endpoints.append(try Address(String(host.last == "/" ? host.dropLast() : host)))
            } catch {
                throw Self.invalid(text, error.description)
            }
        }
        guard !scheme.isEmpty else {
            throw Self.invalid(text, "it must begin with http:// or https://")
        }
        self.endpoints = endpoints
        if scheme == "https" { tls = ClientTLS() }
        guard halves.count == 2 else { return }
        for setting in halves[1].split(separator: "&") {
            let (name, value) = (setting.prefix { $0 != "=" }, setting.drop { $0 != "=" })
            try set(String(name), String(value.dropFirst()), in: text)
        }
    }

    private mutating func set(
        _ name: String, _ value: String, in text: String
    ) throws(StoreLocation.Invalid) {
        guard !value.isEmpty else { throw Self.invalid(text, "'\(name)' has no value") }
        switch name {
        case "prefix": prefix = value
        case "user": user = value
        case "password_file": passwordFile = value
        case "ttl":
            guard let seconds = Int64(value), (2...3_600).contains(seconds) else {
                throw Self.invalid(text, "ttl is '\(value)': it must be from 2 to 3600 seconds")
            }
            leaseSeconds = seconds
        case "ca", "cert", "key", "server_name":
            guard tls != nil else { throw Self.invalid(text, "'\(name)' requires https://") }
            switch name {
            case "ca": tls?.caFile = value
            case "cert": tls?.certificateFile = value
            case "key": tls?.keyFile = value
            default: tls?.serverName = value
            }
        default:
            throw Self.invalid(
                text,
                "invalid setting '\(name)': use prefix, user, password_file, ttl, ca, cert, key or "
                    + "server_name")
        }
    }

    private static func invalid(_ text: String, _ why: String) -> StoreLocation.Invalid {
        StoreLocation.Invalid(description: "'etcd:\(StoreLocation.shown(text))': \(why)")
    }

    /// The endpoints and the prefix, for logs and errors.
    var place: String {
        "etcd:\(tls == nil ? "http" : "https")://"
            + endpoints.map(\.description).joined(separator: ",") + "?prefix=\(prefix)"
    }

    /// The password of `user`.
    func password() throws(StoreError) -> String {
        guard let passwordFile else {
            guard let password = ProcessInfo.processInfo.environment["WEIR_ETCD_PASSWORD"] else {
                throw .refused(
                    "etcd's user '\(user ?? "")' needs a password: set WEIR_ETCD_PASSWORD, or give "
                        + "password_file=PATH")
            }
            return password
        }
        do throws(TrustedFile.Failure) {
            let text = try TrustedFile(passwordFile, isSecret: true).text()
            return String(text.prefix { !$0.isNewline })
        } catch {
            throw .refused("etcd's password file: \(error)")
        }
    }

    /// Problems of the files that it names, as sentences for the log.
    var warnings: [String] {
        let password = passwordFile.flatMap { try? TrustedFile($0, isSecret: true) }
        return (password?.warnings ?? []) + ((try? tls?.load())?.warnings ?? [])
    }
}
