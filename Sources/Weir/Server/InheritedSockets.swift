internal import class Foundation.ProcessInfo

#if canImport(Glibc)
    internal import Glibc
#endif

/// Listening sockets that the server inherits (systemd's socket activation, sd_listen_fds(3)). They
/// stay open while one server ends and the next one starts, so no connection is refused.
public struct InheritedSockets: Sendable {
    /// The descriptors of the data port; nil to open a socket.
    public var data: Int32?
    /// The descriptors of the admin port; nil to open a socket.
    public var admin: Int32?

    /// No inherited sockets.
    public init() {}

    /// The sockets that `LISTEN_FDS` and `LISTEN_FDNAMES` list: those named `data` and `admin`, or
    /// else the first and the second. Empty if the variables are for another process.
    public static func fromEnvironment() -> InheritedSockets {
        var sockets = InheritedSockets()
        let environment = ProcessInfo.processInfo.environment
        guard environment["LISTEN_PID"] == "\(getpid())",
            let count = environment["LISTEN_FDS"].flatMap(Int32.init),
            (1...maxSockets).contains(count)
        else { return sockets }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(
            separator: ":", omittingEmptySubsequences: false)
        for index in 0..<count {
            let name = Int(index) < names.count ? names[Int(index)] : ""
            let descriptor = Self.firstDescriptor + index
            // The worker processes must not inherit the variables.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            switch name {
            case "data": sockets.data = descriptor
            case "admin": sockets.admin = descriptor
            default:
                if sockets.data == nil, index == 0 { sockets.data = descriptor }
                if sockets.admin == nil, index == 1 { sockets.admin = descriptor }
            }
        }
        return sockets
    }

    private static let firstDescriptor: Int32 = 3
    /// More than any unit has. A process could not have more descriptors open.
    private static let maxSockets: Int32 = 1_024
}
