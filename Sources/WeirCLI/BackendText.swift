internal import Foundation
internal import Messages
internal import Weir

/// The text output of a backend.
enum BackendText {
    static func kind(_ backend: Weir_Admin_V1_Backend) -> String {
        switch backend.kind {
        case .handler: "handler"
        case .upstream(let upstream): upstream.tls == nil ? "upstream" : "upstream (TLS)"
        case .worker: "worker"
        case nil: "?"
        }
    }

    /// The numbers of ready and of all replicas; `-` for a handler that the server has.
    static func ready(_ backend: Weir_Admin_V1_Backend) -> String {
        guard let status = backend.status else { return "-" }
        if case .handler = backend.kind { return "missing" }
        if status.lease == .gone { return "gone" }
        let ready = status.replicas.count { $0.state == .ready }
        return "\(ready)/\(status.replicas.count)"
    }

    /// All properties of a backend.
    ///
    /// - Parameter screen: the lines fit its columns.
    static func page(
        _ backend: Weir_Admin_V1_Backend, screen: Screen = .unlimited
    ) -> TerminalText {
        var lines: [Line] = [
            ("backend", "\(backend.name) (\(kind(backend)), revision \(backend.revision))")
        ]
        if !backend.description.isEmpty { lines.append(("about", backend.description)) }
        switch backend.kind {
        case .handler(let handler): lines.append(("handler", handler.handler))
        case .upstream(let upstream):
            lines.append(("addresses", upstream.addresses.joined(separator: ", ")))
        case .worker(let worker):
            lines.append(("command", worker.command.joined(separator: " ")))
            for (name, value) in worker.environment.sorted(by: { $0.key < $1.key }) {
                lines.append(("variable", "\(name)=\(value)"))
            }
        case nil: break
        }
        lines.append(
            (
                "endpoints",
                backend.endpoints.isEmpty ? "-" : backend.endpoints.joined(separator: ", ")
            ))
        guard let status = backend.status else { return text(lines, screen) }
        lines.append(("state", state(status)))
        if let lease = backend.lease { lines.append(("program", program(lease, status.lease))) }
        if case .handler = backend.kind { return text(lines, screen) }
        lines.append(("requests", requests(status)))
        return text(lines, screen) + "\n\n" + replicas(status, screen)
    }

    private static func state(_ status: Weir_Admin_V1_BackendStatus) -> String {
        let word = status.usable ? "usable" : "NOT USABLE"
        let circuit = status.circuitOpen ? ", circuit open" : ""
        return word + circuit + (status.problem.isEmpty ? "" : ": \(status.problem)")
    }

    /// The program that serves a backend.
    private static func program(
        _ lease: Weir_Admin_V1_Lease, _ state: Weir_Admin_V1_LeaseState
    ) -> String {
        let word =
            switch state {
            case .held: "runs"
            case .lost: "not connected"
            case .gone: "gone"
            default: "unknown"
            }
        return "\(lease.program) (\(word))"
    }

    private static func requests(_ status: Weir_Admin_V1_BackendStatus) -> String {
        let refused = status.refused.map { "\($0.count) rejected with \($0.name)" }
        let retries = status.retries.addingReportingOverflow(status.transparentRetries)
        let parts =
            ["\(status.inFlight) in flight", "\(status.waiting) waiting"] + refused
            + ["\(retries.overflow ? .max : retries.partialValue) retries"]
        let denied = status.retriesDenied > 0 ? ["\(status.retriesDenied) retries over budget"] : []
        let openings =
            status.circuitOpenings > 0 ? ["circuit opened \(status.circuitOpenings) times"] : []
        return (parts + denied + openings).joined(separator: ", ")
    }

    private static func replicas(
        _ status: Weir_Admin_V1_BackendStatus, _ screen: Screen
    ) -> TerminalText {
        let isWorker = status.replicas.contains { $0.pid != 0 || $0.restarts != 0 }
        var columns: [Table.Column] = [
            .init(title: "REPLICA", isName: true), .init(title: "STATE"),
            .init(title: "CONNS", alignment: .right, drop: 3),
            .init(title: "IN FLIGHT", alignment: .right, drop: 4),
            .init(title: "REQUESTS", alignment: .right, drop: 8),
            .init(title: "OK", alignment: .right, drop: 7),
            .init(title: "P50", alignment: .right, drop: 5),
            .init(title: "P99", alignment: .right, drop: 6),
        ]
        if isWorker {
            columns += [
                .init(title: "REVISION", alignment: .right, drop: 1),
                .init(title: "PID", alignment: .right, drop: 2),
                .init(title: "RESTARTS", alignment: .right, drop: 9),
            ]
        }
        columns.append(.init(title: "LAST FAILURE", isName: true))
        var table = Table(columns)
        for replica in status.replicas {
            let latency = replica.latency ?? .init()
            var cells = [
                replica.name, state(replica), "\(replica.connections)", "\(replica.inFlight)",
                "\(replica.requests)",
                replica.requests > 0 ? Style.percent(replica.successShare) : "-",
                Style.latency(latency.p50Us), Style.latency(latency.p99Us),
            ]
            if isWorker {
                cells += [
                    "\(replica.revision)", replica.pid == 0 ? "-" : "\(replica.pid)",
                    "\(replica.restarts)",
                ]
            }
            table.add(cells + [failure(replica)])
        }
        return table.text(columns: screen.columns)
    }

    private static func state(_ replica: Weir_Admin_V1_ReplicaStatus) -> String {
        switch replica.state {
        case .starting: "starting"
        case .connecting: "connecting"
        case .ready: "ready"
        case .unhealthy: "unhealthy"
        case .ejected: "ejected"
        case .down: "down"
        default: "?"
        }
    }

    private static func failure(_ replica: Weir_Admin_V1_ReplicaStatus) -> String {
        guard !replica.lastFailure.isEmpty else { return "-" }
        guard let time = replica.lastFailureTime else { return replica.lastFailure }
        return "\(replica.lastFailure) (\(Style.age(time)) ago)"
    }

    private typealias Line = (name: String, value: String)

    private static func text(_ lines: [Line], _ screen: Screen) -> TerminalText {
        lines.map { line in
            let name = line.name.padding(toLength: 11, withPad: " ", startingAt: 0)
            return screen.words(name + line.value, indent: 11)
        }.joined(separator: "\n")
    }
}
