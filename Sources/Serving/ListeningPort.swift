internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#endif

/// Why a server cannot listen on an address or a socket.
package struct ListenFailure: Error, CustomStringConvertible {
    /// The address, the reason, and what would be correct.
    package let description: String

    fileprivate init(_ place: String, _ reason: String) {
        description = "cannot listen on \(place): \(reason)"
    }

    fileprivate init(_ place: String, _ error: any Error) {
        let advice =
            switch (error as? IOError)?.errnoCode {
            case EACCES:
                "; this user cannot open it: choose a port above 1023, or let systemd open the "
                    + "socket"
            case EADDRINUSE:
                "; --take-over shares a port only with a server of the same user"
            case EADDRNOTAVAIL: "; this machine has no such address"
            default: ""
            }
        self.init(place, systemReason(error) + advice)
    }
}

/// Where a server listens: on an address, or on a socket that it was given.
package struct ListeningPort: Sendable {
    private enum Place {
        case address(SocketAddress)
        case inherited(Int32)
    }

    private var place: Place

    /// A socket that listens already.
    package init(inherited descriptor: Int32) { place = .inherited(descriptor) }

    /// An address.
    ///
    /// All sockets on it share it (SO_REUSEPORT), also with those of another server of the same
    /// user. Only a server that takes over from another one needs that.
    ///
    /// - Parameter isShared: whether another server may be listening there.
    package init(host: String, port: Int, isShared: Bool) async throws(ListenFailure) {
        let name = "\(Address(host: host, port: port))"
        let address: SocketAddress
        do {
            address = try SocketAddress.makeAddressResolvingHost(host, port: port)
        } catch {
            throw ListenFailure(name, error)
        }
        if !isShared, port != 0, Self.isTaken(address) {
            throw ListenFailure(
                name, "another server listens there; to take over from it, see --take-over")
        }
        place = .address(address)
    }

    /// Whether a socket listens on the address, or on one that contains it or is contained in it.
    /// Our own sockets would share it with one that has SO_REUSEPORT; the one here does not.
    private static func isTaken(_ address: SocketAddress) -> Bool {
        let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
        let probe = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        var one: Int32 = 1
        // Connections that are closing do not count. The option and the address live for the time
        // of the calls.
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &one, size) == 0 else {
            return false
        }
        return unsafe address.withSockAddr { address, size in
            unsafe bind(probe, address, socklen_t(size)) != 0 && errno == EADDRINUSE
        }
    }

    /// Throws if another port of this server has the same address: they would share it, and each
    /// get some of the other's connections.
    package func checkDistinct(from other: ListeningPort) throws(ListenFailure) {
        guard case .address(let mine) = place, case .address(let others) = other.place,
            let port = mine.port, port != 0, port == others.port,
            Self.overlap(mine.ipAddress ?? "", others.ipAddress ?? "")
        else { return }
        throw ListenFailure(
            text, "the data port and the admin port have this address; choose another --admin")
    }

    private static func overlap(_ left: String, _ right: String) -> Bool {
        if left == right || left == "::" || right == "::" { return true }
        return [left, right].contains("0.0.0.0") && !(left + right).contains(":")
    }

    /// The IP address on which a socket that was given listens; nil for other kinds of sockets.
    package static func host(of descriptor: Int32) -> String? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        // The system writes an address of at most `length` bytes, and its text of at most
        // `host.count`.
        let isKnown = unsafe withUnsafeMutablePointer(to: &storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe getsockname(descriptor, address, &length) == 0
                    && getnameinfo(
                        address, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
            }
        }
        guard isKnown, [AF_INET, AF_INET6].contains(Int32(storage.ss_family)) else { return nil }
        return String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    var isInherited: Bool { if case .inherited = place { true } else { false } }

    mutating func join(_ address: SocketAddress?) {
        if case .address = place, let address { place = .address(address) }
    }

    func open(_ bootstrap: ServerBootstrap) async throws(ListenFailure) -> any Channel {
        do {
            switch place {
            case .address(let address):
                return
                    try await bootstrap
                    .serverChannelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
                    .bind(to: address).get()
            case .inherited(let descriptor):
                // Closed with the channel, while the one that was given stays open.
                let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
                guard own >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
                return try await bootstrap.withBoundSocket(own).get()
            }
        } catch {
            throw ListenFailure(text, error)
        }
    }

    /// The address or socket, for errors.
    private var text: String {
        switch place {
        case .address(let address):
            "\(Address(host: address.ipAddress ?? "", port: address.port ?? 0))"
        case .inherited(let descriptor): "the inherited socket \(descriptor)"
        }
    }
}
