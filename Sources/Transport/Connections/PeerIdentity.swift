/// A subject alternative name of a client's certificate (RFC 5280 section 4.2.1.6).
///
/// Names of different kinds are different identities. DNS names are compared without regard to
/// case, URIs and email addresses byte by byte. A name is not an identity if it has a wildcard, is
/// empty, or contains anything but visible ASCII, for example a NUL or a letter that looks like
/// another.
public struct PeerIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The type of a subject alternative name.
    public enum Kind: String, Sendable, CaseIterable {
        /// A URI, for example a SPIFFE ID.
        case uri
        /// A host.
        case dns
        /// An email address.
        case email
    }

    /// The longest name.
    private static let maxBytes = 2_048

    /// The type of the name.
    public let kind: Kind
    /// The name; a DNS name is in lower case.
    public let name: String

    /// Nil for a name that identifies no client.
    public init?(_ kind: Kind, _ name: String) {
        let allowed = { (byte: UInt8) in (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "*") }
        guard (1...Self.maxBytes).contains(name.utf8.count), name.utf8.allSatisfy(allowed) else {
            return nil
        }
        self.kind = kind
        // Only ASCII is left.
        self.name = kind == .dns ? name.lowercased() : name
    }

    /// Parses `uri:NAME`, `dns:NAME` or `email:NAME`; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])) else { return nil }
        self.init(kind, String(parts[1]))
    }

    /// `uri:spiffe://prod/ada`
    public var description: String { "\(kind.rawValue):\(name)" }
}
