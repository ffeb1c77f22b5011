internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#endif

/// What went wrong with a socket, in the system's own words: "Connection refused".
package func systemReason(_ error: any Error) -> String {
    switch error {
    case let error as IOError:
        // `strerror` returns a text that lives as long as the thread.
        return unsafe strerror(error.errnoCode).map { unsafe String(cString: $0) } ?? "\(error)"
    case let error as NIOConnectionError:
        if let first = error.connectionErrors.first { return systemReason(first.error) }
        return error.dnsAError == nil ? "\(error)" : "the host is not known"
    default: return "\(error)"
    }
}
