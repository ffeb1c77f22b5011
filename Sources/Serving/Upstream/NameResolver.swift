internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#endif

/// Asks the system for the addresses of a name, on a thread that may wait.
enum NameResolver {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// All IPv4 addresses of a host, or all IPv6 addresses when it has no others: a server that
    /// listens on one family only, under a name that has both, is one replica and not a dead second
    /// one.
    static func resolve(
        _ host: String, port: Int, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[SocketAddress]> {
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try addresses(of: host, port: port)
        }
    }

    private static func addresses(of host: String, port: Int) throws -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            let why = unsafe gai_strerror(status).map { unsafe String(cString: $0) }
            throw Failure(description: "'\(host)' cannot be resolved: \(why ?? "error \(status)")")
        }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = unsafe list
        // The list is the system's, valid until it is freed above.
        while let entry = unsafe next {
            if let address = unsafe socketAddress(entry.pointee), !found.contains(address) {
                found.append(address)
            }
            unsafe next = entry.pointee.ai_next
        }
        let version4 = found.filter { $0.protocol == .inet }
        return version4.isEmpty ? found : version4
    }

    private static func socketAddress(_ entry: addrinfo) -> SocketAddress? {
        guard let bytes = unsafe UnsafeRawPointer(entry.ai_addr) else { return nil }
        // The family says which structure lies there.
        switch unsafe entry.ai_family {
        case AF_INET: return unsafe SocketAddress(bytes.loadUnaligned(as: sockaddr_in.self))
        case AF_INET6: return unsafe SocketAddress(bytes.loadUnaligned(as: sockaddr_in6.self))
        default: return nil
        }
    }
}
