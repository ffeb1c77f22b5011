internal import NIOCore

/// The addresses of a name, which may be of two families.
///
/// The addresses of one family become replicas: the family that can be reached (RFC 8305). So a
/// server that listens on both families is one replica, not two. A server that listens on one of
/// them is one replica, not one that works and one that is down.
struct ResolvedName: Equatable, Sendable {
    enum Family: Sendable, Equatable {
        case version4
        case version6

        /// Nil for a Unix socket.
        init?(_ address: SocketAddress) {
            switch address {
            case .v4: self = .version4
            case .v6: self = .version6
            case .unixDomainSocket: return nil
            }
        }
    }

    let version4: [SocketAddress]
    let version6: [SocketAddress]

    init(_ addresses: [SocketAddress]) {
        version4 = addresses.filter { Family($0) == .version4 }
        version6 = addresses.filter { Family($0) == .version6 }
    }

    var hasBothFamilies: Bool { !version4.isEmpty && !version6.isEmpty }

    /// The addresses that become replicas.
    ///
    /// - Parameter reachable: the family that can be reached; nil if neither can, yet.
    func replicas(reachable: Family?) -> [SocketAddress] {
        guard hasBothFamilies else { return version4 + version6 }
        return reachable == .version6 ? version6 : version4
    }
}
