package import NIOCore
package import NIOPosix

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

/// Where a server listens: on an address, or on an inherited socket.
package struct ListeningPort: Sendable {
    private enum Place {
        /// An address, and whether other servers may listen on it.
        case address(SocketAddress, isShared: Bool)
        case inherited(Int32)
    }

    /// The queue of connections that were not accepted.
    package static let backlog: Int32 = 4_096

    private var place: Place

    /// An inherited socket, which is already listening.
    package init(inherited descriptor: Int32) { place = .inherited(descriptor) }

    /// An address, which all sockets of a server share (SO_REUSEPORT).
    ///
    /// - Parameter isShared: whether the server also shares the address with another server of the
    ///   same user, from which it takes over.
    package init(host: String, port: Int, isShared: Bool) async throws(ListenFailure) {
        let name = "\(Address(host: host, port: port))"
        let address: SocketAddress
        do {
            address = try SocketAddress.makeAddressResolvingHost(host, port: port)
        } catch {
            throw ListenFailure(name, error)
        }
        place = .address(address, isShared: isShared)
    }

    /// A socket that listens on the address. Fails if another socket listens on it, or on an
    /// address that overlaps it. Later sockets can join it with SO_REUSEPORT.
    ///
    /// Only `listen` excludes other sockets, because closing connections must not block the
    /// address. Several sockets can be bound to it while none of them listens.
    private static func exclusiveSocket(
        _ address: SocketAddress
    ) async throws(IOError) -> Int32 {
        var attempts = 0
        while true {
            let descriptor = try bound(address)
            if listen(descriptor, backlog) == 0 {
                do throws(IOError) {
                    try set(SO_REUSEPORT, at: SOL_SOCKET, to: 1, of: descriptor)
                    return descriptor
                } catch {
                    close(descriptor)
                    throw error
                }
            }
            let error = IOError(errnoCode: errno, reason: "listen")
            close(descriptor)
            attempts += 1
            guard error.errnoCode == EADDRINUSE, attempts < 10 else { throw error }
            // If several sockets begin to listen at once, the system may refuse all of them.
            try? await Task.sleep(for: .milliseconds(Int.random(in: 1...20)))
        }
    }

    private static func bound(_ address: SocketAddress) throws(IOError) -> Int32 {
        let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = socket(
            family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        do throws(IOError) {
            try set(SO_REUSEADDR, at: SOL_SOCKET, to: 1, of: descriptor)
            // The same setting as NIO's for the other sockets.
            if address.protocol == .inet6 {
                try set(IPV6_V6ONLY, at: Int32(IPPROTO_IPV6), to: 0, of: descriptor)
            }
            // Invariant: the address is valid during the call.
            let isBound = unsafe address.withSockAddr { address, size in
                unsafe bind(descriptor, address, socklen_t(size)) == 0
            }
            guard isBound else { throw IOError(errnoCode: errno, reason: "bind") }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func set(
        _ option: Int32, at level: Int32, to value: Int32, of descriptor: Int32
    ) throws(IOError) {
        var value = value
        // Invariant: the value is valid during the call.
        let result = unsafe setsockopt(
            descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        guard result == 0 else { throw IOError(errnoCode: errno, reason: "setsockopt") }
    }

    /// Throws if another port of this server has the same address. With SO_REUSEPORT, each would
    /// receive some connections of the other.
    ///
    /// - Parameters:
    ///   - name: the name of this port, which is also the name of its option.
    ///   - otherName: the name of the other port.
    package func checkDistinct(
        _ name: String, from other: ListeningPort, _ otherName: String
    ) throws(ListenFailure) {
        guard case .address(let mine, _) = place, case .address(let others, _) = other.place,
            let port = mine.port, port != 0, port == others.port,
            Self.overlap(mine.ipAddress ?? "", others.ipAddress ?? "")
        else { return }
        throw ListenFailure(
            text,
            "the \(otherName) port and the \(name) port have this address; choose another --\(name)"
        )
    }

    private static func overlap(_ left: String, _ right: String) -> Bool {
        if left == right || left == "::" || right == "::" { return true }
        return [left, right].contains("0.0.0.0") && !(left + right).contains(":")
    }

    /// The IP address of an inherited socket; nil for a socket that is not TCP.
    package static func host(of descriptor: Int32) -> String? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        // Invariant: the system writes an address of at most `length` bytes, and its text of at
        // most `host.count`.
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

    /// Whether the socket is inherited.
    package var isInherited: Bool { if case .inherited = place { true } else { false } }

    /// Sets the address of the first socket, which further sockets share.
    package mutating func join(_ address: SocketAddress?) {
        if case .address = place, let address { place = .address(address, isShared: true) }
    }

    /// Opens a listening channel.
    package func open(_ bootstrap: ServerBootstrap) async throws(ListenFailure) -> any Channel {
        do {
            switch place {
            case .address(let address, isShared: false):
                let own = try await Self.exclusiveSocket(address)
                return try await bootstrap.withBoundSocket(own).get()
            case .address(let address, isShared: true):
                return
                    try await bootstrap
                    .serverChannelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
                    .bind(to: address).get()
            case .inherited(let descriptor):
                // A duplicate, so that the inherited socket stays open when the channel closes.
                let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
                guard own >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
                return try await bootstrap.withBoundSocket(own).get()
            }
        } catch {
            if case .address(_, isShared: false) = place,
                (error as? IOError)?.errnoCode == EADDRINUSE
            {
                throw ListenFailure(
                    text, "another server uses this address; to take over from it, see --take-over")
            }
            throw ListenFailure(text, error)
        }
    }

    /// The address or socket, for errors.
    private var text: String {
        switch place {
        case .address(let address, _):
            "\(Address(host: address.ipAddress ?? "", port: address.port ?? 0))"
        case .inherited(let descriptor): "the inherited socket \(descriptor)"
        }
    }
}
