internal import Logging

internal import class Foundation.ProcessInfo

#if canImport(Glibc)
    internal import Glibc
#endif

/// Notifies systemd, or another program that set `NOTIFY_SOCKET`, of the state of the server
/// (sd_notify(3)).
struct ServiceNotifier: Sendable {
    private let path: String?
    private let log: Logger

    init(log: Logger) {
        path = ProcessInfo.processInfo.environment["NOTIFY_SOCKET"]
        self.log = log
    }

    /// All listeners accept connections.
    func ready() { send("READY=1\nSTATUS=serving") }

    /// The server is rereading its files; `ready` follows.
    func reloading() {
        var time = timespec()
        // Invariant: the call writes the whole structure.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        let microseconds = time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
        send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
    }

    /// The server is finishing running requests.
    func stopping() { send("STOPPING=1\nSTATUS=draining") }

    private func send(_ message: String) {
        guard let path else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            return log.warning("NOTIFY_SOCKET is too long", metadata: ["path": "\(path)"])
        }
        // The name of an abstract socket begins with a zero byte, written as "@".
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { _ = close(descriptor) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        // Invariant: the path fits (checked above); the address and the message live during the
        // call.
        let sent = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe withUnsafeMutableBytes(of: &address.pointee.sun_path) {
                unsafe $0.copyBytes(from: bytes)
            }
            return unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe sendto(descriptor, message, message.utf8.count, 0, address, length)
            }
        }
        if sent < 0 {
            log.warning("cannot notify the service manager", metadata: ["errno": "\(errno)"])
        }
    }
}
