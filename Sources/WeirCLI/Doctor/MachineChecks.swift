internal import Foundation
internal import Weir

/// Checks of this machine: pure functions of values that `Machine` reads.
enum MachineChecks {
    /// Fewer descriptors than this allow few connections.
    private static let fewDescriptors = 4_096
    private static let fewWaiting = 1_024
    private static let littleSpace: UInt64 = 100 << 20
    /// Certificates that end within this time are reported.
    private static let soon = 14.0 * 86_400

    /// - Parameter hosts: those that gRPC clients of this machine call.
    static func proxies(_ environment: [String: String], hosts: [String]) -> [Finding] {
        let names = ["grpc_proxy", "https_proxy", "http_proxy"]
        // grpc C core reads the names in lower case, in this order.
        guard let name = names.first(where: { !environment[$0, default: ""].isEmpty }) else {
            return []
        }
        let exempt = (environment["no_grpc_proxy"] ?? environment["no_proxy"] ?? "")
            .split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let sent = hosts.filter { host in
            !exempt.contains { !$0.isEmpty && host.hasSuffix($0) || $0 == "*" }
        }
        guard !sent.isEmpty else { return [] }
        return [
            .warning(
                "environment",
                "\(name) is set: gRPC clients such as grpcio send calls to "
                    + "\(sent.joined(separator: ", ")) through that proxy; add the hosts to "
                    + "no_proxy"
            )
        ]
    }

    /// Variables of the tool that exclude each other.
    static func variables(_ environment: [String: String]) -> [Finding] {
        guard let admin = environment["WEIR_ADMIN"], admin == environment["WEIR_ADDRESS"] else {
            return []
        }
        return [
            .failure(
                "environment",
                "WEIR_ADMIN and WEIR_ADDRESS are both \(admin): one is the admin "
                    + "port, the other the data port")
        ]
    }

    /// - Parameter count: the limit of file descriptors, raised as far as allowed.
    static func descriptors(_ count: Int?) -> Finding {
        guard let count else {
            return .warning("file limit", "the limit of file descriptors cannot be read")
        }
        return count < fewDescriptors
            ? .warning(
                "file limit",
                "\(count) file descriptors allow few connections: raise the limit "
                    + "(ulimit -n, LimitNOFILE)")
            : .ok("file limit", "\(count) file descriptors")
    }

    /// - Parameter backlog: `net.core.somaxconn`; nil if unknown.
    static func backlog(_ backlog: Int?) -> Finding? {
        guard let backlog, backlog < fewWaiting else { return nil }
        return .warning(
            "backlog",
            "net.core.somaxconn is \(backlog): bursts of new connections are rejected; "
                + "set it to 4096")
    }

    static func space(_ free: UInt64?, in directory: String) -> Finding {
        guard let free else {
            return .ok("state directory", "\(directory) does not exist yet")
        }
        let size = "\(free >> 20) MiB"
        return free < littleSpace
            ? .warning(
                "state directory",
                "\(directory) has \(size) free: changes fail when the disk is full")
            : .ok("state directory", "\(directory) has \(size) free")
    }

    /// - Parameters:
    ///   - named: the place that --store names.
    ///   - problem: why that store cannot be used; nil if it can.
    ///   - server: the place of the server's state; nil if no server answers.
    static func store(_ named: String, problem: String?, server: String?) -> Finding {
        let subject = "--store"
        if let problem { return .failure(subject, "\(named): \(problem)") }
        // The server's working directory is unknown.
        let isRelative = [named, server ?? ""].contains {
            $0.hasPrefix("sqlite:") && !$0.hasPrefix("sqlite:/")
        }
        if let server, server != named, !isRelative {
            return .warning(subject, "the server's state is in \(server), not in \(named)")
        }
        return .ok(subject, "\(named) can be used")
    }

    /// - Parameters:
    ///   - expiry: the end of the validity in seconds since 1970; nil if the file is not valid.
    ///   - now: seconds since 1970.
    static func certificate(_ file: String, expiry: Int64?, now: Double) -> Finding {
        guard let expiry else {
            return .failure("certificate", "\(file) cannot be read, or has no PEM certificate")
        }
        let (left, end) = (Double(expiry) - now, Style.time(.init(seconds: expiry)))
        if left < 0 { return .failure("certificate", "\(file) expired at \(end): replace it") }
        return left < soon
            ? .warning("certificate", "\(file) expires at \(end): replace it")
            : .ok("certificate", "\(file) is valid until \(end)")
    }
}
