internal import Foundation
internal import Synchronization

/// A real etcd with one member, on free loopback ports, with its data in a temporary directory.
package final class EtcdServer: @unchecked Sendable {
    package let port: Int
    private let peerPort: Int
    private let directory: URL
    private let options: [String]
    // Invariant of `@unchecked Sendable`: only the test that owns the server accesses the process.
    private var process = Process()

    /// Process ids and directories of the running servers. A server that several tests share has no
    /// last owner, so it is stopped when the program ends.
    private static let running = Mutex<[Int32: URL]>([:])
    private static let stopsAtEnd: Void = {
        atexit {
            for (pid, directory) in EtcdServer.running.withLock({ $0 }) {
                kill(pid, SIGKILL)
                try? FileManager.default.removeItem(at: directory)
            }
        }
    }()

    /// - Parameter options: additional options of etcd.
    package init(options: [String] = []) async throws {
        (port, peerPort) = (Self.freePort(), Self.freePort())
        self.options = options
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "weir-etcd-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try await start()
    }

    package var endpoint: String { "http://127.0.0.1:\(port)" }

    /// A location with a unique prefix.
    package var location: String { "etcd:\(endpoint)?ttl=5&prefix=\(UUID().uuidString)" }

    package func start() async throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/etcd")
        process.arguments =
            [
                "--data-dir", directory.path, "--listen-client-urls", endpoint,
                "--advertise-client-urls", endpoint,
                "--listen-peer-urls", "http://127.0.0.1:\(peerPort)",
                "--initial-advertise-peer-urls", "http://127.0.0.1:\(peerPort)",
                "--initial-cluster", "default=http://127.0.0.1:\(peerPort)",
                "--unsafe-no-fsync", "--log-level", "error",
            ] + options
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        Self.stopsAtEnd
        try process.run()
        let (pid, directory) = (process.processIdentifier, directory)
        Self.running.withLock { $0[pid] = directory }
        _ = await eventually { Self.answers(port) }
    }

    package func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
        let pid = process.processIdentifier
        Self.running.withLock { _ = $0.removeValue(forKey: pid) }
    }

    package func ctl(_ arguments: String...) throws {
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: "/usr/bin/etcdctl")
        tool.arguments = ["--endpoints", endpoint] + arguments
        tool.environment = ["ETCDCTL_API": "3"]
        tool.standardOutput = FileHandle.nullDevice
        try tool.run()
        tool.waitUntilExit()
        guard tool.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: directory)
    }

    /// A currently free port below those that the kernel gives to connections: a connection could
    /// take one of those before its use.
    package static func freePort() -> Int {
        while true {
            let port = Int.random(in: 10_000..<32_768)
            if unsafe succeeds(bind, port) { return port }
        }
    }

    private static func answers(_ port: Int) -> Bool { unsafe succeeds(connect, port) }

    /// Whether a call on a new socket and a port of loopback succeeds.
    private static func succeeds(
        _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32, _ port: Int
    ) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7f00_0001).bigEndian)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
