internal import FoundationEssentials
internal import NIOCore
internal import NIOPosix
internal import SystemPackage

/// The description of an error by the operating system or TLS, for example "Connection refused".
package func systemReason(_ error: any Error) -> String {
    switch error {
    case let error as IOError: Errno(rawValue: error.errnoCode).description
    case let error as POSIXError: Errno(rawValue: error.code.rawValue).description
    // Foundation wraps the system's error.
    case let error as CocoaError: error.underlying.map(systemReason) ?? "\(error)"
    case is SocketAddressError.UnknownHost: "the host is not known"
    case let error as NIOConnectionError:
        if let first = error.connectionErrors.first {
            systemReason(first.error)
        } else {
            error.dnsAError == nil ? "\(error)" : "the host is not known"
        }
    default: tlsReason(error) ?? "\(error)"
    }
}
