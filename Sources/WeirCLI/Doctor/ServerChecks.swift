internal import Foundation
internal import GRPCWire
internal import Messages
internal import Weir

/// Checks of what a server reports: pure functions of its responses.
enum ServerChecks {
    /// The difference of two clocks that is reported.
    private static let maxClockSkew = Duration.seconds(2)

    /// Why the admin service cannot be used.
    static func unreachable(_ error: RPCError, _ address: Address) -> Finding {
        let subject = "admin port"
        switch error.code {
        case .unimplemented:
            return .failure(
                subject,
                "\(address) is not an admin port: it does not have the admin service. The "
                    + "admin port is 8001 by default; check --admin and WEIR_ADMIN")
        case .unauthenticated:
            return .failure(
                subject,
                "\(address) rejects the caller: \(error.message); set WEIR_TOKEN or "
                    + "--token-file, or use a client certificate")
        case .permissionDenied:
            return .failure(
                subject, "\(address): \(error.message); the role must be viewer or more")
        case .unavailable where error.message.contains("may not use TLS"):
            return .failure(
                subject,
                "\(address) answers without TLS: omit --admin-tls, --admin-tls-ca, "
                    + "--admin-tls-cert and their variables (WEIR_ADMIN_TLS_...)")
        case .unavailable where !hint(for: error).isEmpty:
            return .failure(subject, "\(address): \(error.message)\(hint(for: error))")
        default:
            let port =
                address.port == 8_000
                ? " Port 8000 is usually the data port; the admin port is 8001." : ""
            return .failure(
                subject,
                "\(address) does not answer: \(error.message). Start a server with 'weir "
                    + "serve --demo', or set --admin or WEIR_ADMIN.\(port)")
        }
    }

    /// Judges an address at which a healthy server answers.
    ///
    /// - Parameter own: the data address of the server at the admin address; nil if unknown.
    static func dataPort(_ address: Address, admin: Address, own: String?) -> Finding {
        let subject = "data port"
        guard address != admin else {
            let port = own.map { ", which is \($0)" } ?? ""
            return .failure(
                subject,
                "\(address) is the admin port: name the data port\(port), with --address or "
                    + "WEIR_ADDRESS")
        }
        if let own, let port = (try? Address(own))?.port, port != address.port {
            return .warning(
                subject,
                "\(address) serves, but the server at \(admin) serves data at \(own): without a "
                    + "proxy between them, --address names another server")
        }
        return .ok(subject, "\(address) serves")
    }

    /// - Parameters:
    ///   - server: the server's time, in seconds since 1970.
    ///   - local: the times before and after the request.
    static func clock(server: Double, local: ClosedRange<Double>) -> Finding {
        let skew =
            server < local.lowerBound
            ? server - local.lowerBound : max(0, server - local.upperBound)
        let text = String(format: "%.1f s", abs(skew))
        guard Duration.seconds(min(abs(skew), 1e9)) > maxClockSkew else {
            return .ok("clock", "the server's clock agrees with this machine's")
        }
        return .warning(
            "clock",
            "the server's clock is \(text) \(skew > 0 ? "ahead" : "behind"): synchronise "
                + "both with NTP; history, certificates and timed changes depend on it")
    }

    static func store(_ reply: Weir_Admin_V1_ListInstancesResponse) -> [Finding] {
        var findings: [Finding] = []
        if !reply.storeFailure.isEmpty {
            findings.append(
                .failure("store", "\(reply.store) cannot be reached: \(reply.storeFailure)"))
        } else if reply.store.hasPrefix("memory") {
            findings.append(
                .warning(
                    "store",
                    "the state is in memory and ends with the server: omit --demo, or "
                        + "name --state-dir or --store"))
        } else {
            findings.append(.ok("store", "the state is in \(reply.store)"))
        }
        for instance in reply.instances where instance.state == .diverged {
            findings.append(
                .failure(
                    "server \(instance.name)",
                    "\(instance.problem); decide with 'weir state adopt' "
                        + "or 'weir state restore'"))
        }
        for instance in reply.instances where instance.state == .stale {
            findings.append(.failure("server \(instance.name)", instance.problem))
        }
        let versions = Set(reply.instances.map(\.version)).sorted()
        if versions.count > 1 {
            findings.append(
                .warning("fleet", "servers have the versions \(versions.joined(separator: ", "))"))
        }
        for (name, servers) in Dictionary(grouping: reply.instances, by: \.name).sorted(by: {
            $0.key < $1.key
        }) where servers.count > 1 {
            findings.append(
                .failure(
                    "fleet",
                    "\(servers.count) servers have the name \(name.quoted): give each its "
                        + "own with 'weir serve --name'"))
        }
        return findings
    }

    /// - Parameter own: the data and the admin address of the server.
    static func backends(
        _ backends: [Weir_Admin_V1_Backend], own: [String] = []
    ) -> [Finding] {
        var findings: [Finding] = []
        for backend in backends {
            let subject = "backend \(backend.name)"
            if case .upstream(let upstream) = backend.kind,
                let address = upstream.addresses.first(where: own.contains)
            {
                findings.append(
                    .failure(subject, "its address \(address) is this Weir, not a server behind it")
                )
                continue
            }
            let isUsed = !backend.endpoints.isEmpty
            if backend.status?.lease == .gone {
                findings.append(.failure(subject, "its program is gone: start it again"))
            } else if case .handler = backend.kind, backend.status != nil {
                findings.append(
                    .failure(subject, "the server's program does not have this handler"))
            } else if let status = backend.status, !status.usable {
                let reason = status.problem.isEmpty ? "no replica is ready" : status.problem
                let text = "not usable: \(reason); see 'weir backend show \(backend.name)'"
                findings.append(isUsed ? .failure(subject, text) : .warning(subject, text))
            } else if let status = backend.status, !status.problem.isEmpty {
                findings.append(.warning(subject, status.problem))
            } else if !isUsed {
                findings.append(
                    .warning(
                        subject,
                        "no endpoint uses it: create one with 'weir endpoint create NAME "
                            + "--route /pkg.Service/ --backend \(backend.name)'"))
            }
        }
        if backends.isEmpty {
            findings.append(
                .warning(
                    "backends",
                    "the server has none: add one with 'weir backend create NAME "
                        + "--upstream HOST:PORT'"))
        } else if findings.isEmpty {
            findings.append(.ok("backends", "\(backends.count), all usable"))
        }
        return findings
    }

    static func endpoints(_ endpoints: [Weir_Admin_V1_Endpoint]) -> [Finding] {
        var findings: [Finding] = []
        for endpoint in endpoints {
            let subject = "endpoint \(endpoint.name)"
            let parts = endpoint.route.split(separator: "/")
            if parts.count == 1, parts[0].contains("."), !endpoint.route.hasSuffix("/") {
                findings.append(
                    .warning(
                        subject,
                        "its route \(endpoint.route) is a path of plain HTTP; a gRPC "
                            + "service needs a slash at the end: \(endpoint.route)/"))
            }
            if let box = endpoint.timeBox {
                let unless = box.confirmable ? " unless 'weir traffic confirm' is run" : ""
                findings.append(
                    .warning(subject, "its weights revert at \(Style.time(box.reverts))\(unless)"))
            }
        }
        if endpoints.isEmpty {
            findings.append(
                .warning(
                    "endpoints",
                    "the server has none, so calls fail with UNIMPLEMENTED: add one "
                        + "with 'weir endpoint create'"))
        } else if findings.isEmpty {
            findings.append(.ok("endpoints", "\(endpoints.count)"))
        }
        return findings
    }

    static func rollouts(_ rollouts: [Weir_Admin_V1_Rollout]) -> [Finding] {
        rollouts.compactMap { rollout in
            guard rollout.phase == .paused else { return nil }
            return .warning(
                "rollout \(rollout.endpoint)",
                "it waits: \(rollout.reason); see 'weir rollout "
                    + "status \(rollout.endpoint)'")
        }
    }
}
