internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#endif

/// Looks up the addresses of a name with the system, on a thread that may block.
enum NameResolver {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Concurrent lookups. Each blocks a thread, for many seconds if no DNS server answers. Slow
    /// names have threads of their own, so that they delay only each other.
    private static let quickLookups = 48
    private static let slowLookups = 16

    private static let quickThreads = threads(quickLookups)
    private static let slowThreads = threads(slowLookups)

    private static func threads(_ count: Int) -> NIOThreadPool {
        let pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
        return pool
    }

    /// All addresses of a host.
    ///
    /// - Parameter isSlow: whether the last lookup of this name was slow.
    static func resolve(
        _ host: String, port: Int, isSlow: Bool, on eventLoop: any EventLoop
    ) -> EventLoopFuture<ResolvedName> {
        (isSlow ? slowThreads : quickThreads).runIfActive(eventLoop: eventLoop) {
            ResolvedName(try addresses(of: host, port: port))
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
        return found
    }

    private static func socketAddress(_ entry: addrinfo) -> SocketAddress? {
        guard let bytes = unsafe UnsafeRawPointer(entry.ai_addr) else { return nil }
        // The family determines the structure at the address.
        switch unsafe entry.ai_family {
        case AF_INET: return unsafe SocketAddress(bytes.loadUnaligned(as: sockaddr_in.self))
        case AF_INET6: return unsafe SocketAddress(bytes.loadUnaligned(as: sockaddr_in6.self))
        default: return nil
        }
    }
}
