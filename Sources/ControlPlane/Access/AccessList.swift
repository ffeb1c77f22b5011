internal import CLibCrypto
internal import GRPCWire
internal import Messages
internal import Serving
package import Transport

/// The roles of callers of the admin port, read from a file with one line per credential:
///
/// ```
/// # name      role              credential
/// ada         admin             cert:uri:spiffe://prod/ada
/// deploy-bot  operator:greeter  sha256:9f86d081884c7d659a2feaa0c55ad015(32 more digits)
/// grafana     viewer            cert:dns:grafana.internal
/// ```
///
/// `sha256:` is the hash of a bearer token, in hexadecimal; a token has 256 random bits, so its
/// hash reveals nothing. `cert:` is a subject alternative name of a client's certificate with its
/// type, `uri`, `dns` or `email`; see ``PeerIdentity`` for how names are compared. A word that
/// begins with `#` begins a comment.
package struct AccessList: Sendable {
    /// The permissions of a principal; each role includes the one before it.
    package enum Role: String, Sendable, Comparable, CaseIterable {
        /// Read everything but secrets.
        case viewer
        /// Change traffic and shadows, of all endpoints or of some.
        case `operator`
        /// Everything.
        case admin

        package static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// The owner of a credential.
    package struct Principal: Sendable, Equatable {
        /// The author of its changes in the history.
        package let name: String
        package let role: Role
        /// The endpoints that an operator may change; nil for all.
        package let endpoints: Set<String>?
    }

    /// The proof of a principal's identity.
    package enum Credential: Hashable, Sendable {
        /// The SHA-256 of a token, in hexadecimal.
        case token(sha256: String)
        case certificate(PeerIdentity)
    }

    /// An invalid line.
    package struct Invalid: Error, CustomStringConvertible {
        package let line: Int
        package let description: String
    }

    /// In the order of the file.
    package private(set) var entries: [(credential: Credential, principal: Principal)] = []
    private var principals: [Credential: Principal] = [:]

    package init(_ text: String) throws(Invalid) {
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        for (index, line) in lines.enumerated() {
            let words = line.split { $0.isWhitespace }
                .prefix { $0.utf8.first != UInt8(ascii: "#") }.map(String.init)
            guard !words.isEmpty else { continue }
            guard words.count == 3 else {
                throw Invalid(
                    line: index + 1,
                    description: "\(words.count) words; a line has the form NAME ROLE CREDENTIAL")
            }
            do throws(Mistake) {
                try add(words[0], role: words[1], credential: words[2])
            } catch {
                throw Invalid(line: index + 1, description: error.description)
            }
        }
    }

    private struct Mistake: Error {
        let description: String
    }

    private mutating func add(
        _ name: String, role: String, credential: String
    ) throws(Mistake) {
        let principal = try Self.principal(name, role)
        let credential = try Self.credential(credential)
        guard principals.updateValue(principal, forKey: credential) == nil else {
            throw Mistake(description: "an earlier line has the same credential")
        }
        entries.append((credential, principal))
    }

    /// The longest name, in bytes.
    private static let maxNameBytes = 128

    private static func principal(_ name: String, _ text: String) throws(Mistake) -> Principal {
        guard name.utf8.count <= maxNameBytes, !name.unicodeScalars.contains(where: \.isControl)
        else {
            throw Mistake(
                description: "invalid name '\(name.printable(limit: 64))': "
                    + "use at most \(maxNameBytes) bytes and no control characters")
        }
        let reserved = ControlPlane.ChangeOptions.reservedAuthors
        guard !reserved.contains(where: name.hasPrefix) else {
            throw Mistake(
                description: "invalid name '\(name)': \(reserved.joined(separator: " and ")) begin "
                    + "the names of the server itself; use another name")
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let role = Role(rawValue: String(parts[0])) else {
            let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
            throw Mistake(
                description: "invalid role '\(String(parts[0]).printable(limit: 64))'; use \(roles)"
            )
        }
        guard parts.count == 2 else { return Principal(name: name, role: role, endpoints: nil) }
        guard role == .operator else {
            throw Mistake(
                description: "only an operator can be limited to endpoints, not \(role.article)")
        }
        let endpoints = parts[1].split(separator: ",", omittingEmptySubsequences: false)
        guard endpoints.allSatisfy({ !$0.isEmpty }) else {
            throw Mistake(
                description: "empty endpoint name; write operator:ENDPOINT,ENDPOINT")
        }
        return Principal(name: name, role: role, endpoints: Set(endpoints.map(String.init)))
    }

    private static func credential(_ text: String) throws(Mistake) -> Credential {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count == 2 ? String(parts[1]) : ""
        switch parts[0] {
        case "sha256":
            let digest = value.lowercased()
            guard digest.utf8.count == 64, digest.allSatisfy(\.isHexDigit) else {
                throw Mistake(description: "sha256: takes 64 hexadecimal digits")
            }
            return .token(sha256: digest)
        case "cert":
            guard let identity = PeerIdentity(value) else {
                throw Mistake(description: "the credential is not \(certificateForm)")
            }
            return .certificate(identity)
        default:
            // The text is not repeated: it may be a token.
            throw Mistake(
                description: "the credential is neither sha256:HASH nor \(certificateForm)")
        }
    }

    private static let certificateForm =
        "cert:uri:NAME, cert:dns:NAME or cert:email:NAME (for example cert:uri:spiffe://prod/ada), "
        + "where NAME is printable ASCII without '*'"

    /// The owner of a token; nil if the token is unknown.
    func principal(token: String) -> Principal? {
        principals[.token(sha256: AccessToken.hash(of: token))]
    }

    /// The owner of a certificate, by the first of its names that the list contains.
    func principal(certificate names: [PeerIdentity]) -> Principal? {
        names.lazy.compactMap { principals[.certificate($0)] }.first
    }
}

extension AccessList.Role {
    /// "an admin"
    var article: String { (self == .viewer ? "a " : "an ") + rawValue }
}

/// A new bearer token.
package struct AccessToken: Sendable {
    /// The text that a client sends; Weir does not store it.
    package let text: String
    /// The hash in the access file.
    package var hash: String { Self.hash(of: text) }

    /// Makes a token of 256 random bits.
    package init() {
        var generator = SystemRandomNumberGenerator()
        let digits = (0..<4).map { _ in (generator.next() as UInt64).padded(16, radix: 16) }
        text = "weir_" + digits.joined()
    }

    /// SHA-256 (FIPS 180-4), in hexadecimal.
    package static func hash(of text: String) -> String {
        let bytes = Array(text.utf8)
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        // Invariant: the digest has the length that the function writes. Without a hash, no token
        // may be accepted and none made.
        let isHashed = unsafe SHA256(bytes, bytes.count, &digest) != nil
        precondition(isHashed, "libcrypto cannot compute SHA-256")
        return digest.map { $0.padded(2, radix: 16) }.joined()
    }
}
