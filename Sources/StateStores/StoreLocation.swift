internal import GRPCWire

/// A store as the operator gives it.
package enum StoreLocation: Sendable, Equatable {
    /// `memory:`
    case memory
    /// `sqlite:PATH`
    case sqlite(path: String)
    /// `etcd:http://HOST:PORT[,...]?prefix=...`
    case etcd(EtcdLocation)

    /// A text that is not a store.
    package struct Invalid: Error, CustomStringConvertible {
        package let description: String
    }

    package init(_ text: String) throws(Invalid) {
        guard let colon = text.firstIndex(of: ":") else { throw Self.unknown(text) }
        let rest = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "memory" where rest.isEmpty: self = .memory
        case "sqlite" where !rest.isEmpty: self = .sqlite(path: rest)
        case "etcd": self = .etcd(try EtcdLocation(rest))
        default: throw Self.unknown(text)
        }
    }

    private static func unknown(_ text: String) -> Invalid {
        Invalid(
            description: "invalid store '\(shown(text))': use sqlite:PATH, "
                + "etcd:http://HOST:PORT[,HOST:PORT...][?prefix=NAME], or memory:")
    }

    /// A location for errors, without parts that may be a password: users before '@', and settings.
    static func shown(_ text: String) -> String {
        let place = text.prefix { $0 != "?" }
        let parts = place.split(separator: "/", omittingEmptySubsequences: false).map { part in
            part.lastIndex(of: "@").map { String.masked + part[$0...] } ?? String(part)
        }
        let settings = place.endIndex < text.endIndex ? "?..." : ""
        return (parts.joined(separator: "/") + settings).printable(limit: 200)
    }

    /// The place of the state, for operators.
    package var place: String {
        switch self {
        case .memory: "memory:"
        case .sqlite(let path): "sqlite:\(path.printable(limit: 1_000))"
        case .etcd(let location): location.place
        }
    }

    /// Whether several servers can use the store at once.
    package var isShared: Bool { if case .etcd = self { true } else { false } }

    /// Problems of the files that the location names, as sentences for the log.
    package var warnings: [String] {
        if case .etcd(let location) = self { location.warnings } else { [] }
    }

    /// Opens the store.
    ///
    /// - Parameter acceptsLostRevisions: whether to continue from the revisions that exist if a
    ///   store has lost later ones.
    package func open(
        acceptsLostRevisions: Bool = false
    ) async throws(StoreError) -> any StateStore {
        switch self {
        case .memory: MemoryStore()
        case .sqlite(let path):
            try await SQLiteStore(path: path, acceptsLostRevisions: acceptsLostRevisions)
        case .etcd(let location): try await EtcdStore(location)
        }
    }
}
