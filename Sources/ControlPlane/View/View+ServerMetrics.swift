internal import Transport

/// Metrics of the program: its build, its process and its certificates.
extension ControlPlane.View {
    func addProgram(to text: inout MetricsText) {
        text.family(
            "weir_build_info", .info,
            "A constant 1, labelled with the version and the commit of Weir, and the version of "
                + "Swift's standard library.")
        text.sample(
            "weir_build_info",
            [
                ("version", facts.version), ("commit", facts.commit ?? "unknown"),
                ("swift_version", "\(_SwiftStdlibVersion.current)"),
            ], 1)
        addLimits(to: &text)
        addProcess(to: &text)
        addCertificates(to: &text)
    }

    private func addLimits(to text: inout MetricsText) {
        text.family(
            "weir_limit", .gauge,
            "The limits of the data plane by their names in weir serve --limit. Times are in "
                + "seconds, sizes in bytes.")
        for limit in facts.limits {
            text.sample("weir_limit", [("limit", limit.name)], limit.value)
        }
    }

    private func addProcess(to text: inout MetricsText) {
        guard let process else { return }
        text.metric(
            "process_cpu_seconds_total", .counter,
            "User and system CPU time of the server, in seconds.", process.cpuSeconds)
        text.metric(
            "process_resident_memory_bytes", .gauge, "Physical memory of the server, in bytes.",
            process.residentBytes)
        text.metric(
            "process_virtual_memory_bytes", .gauge,
            "Address space of the server, in bytes; most of it is not in physical memory.",
            process.virtualBytes)
        if let open = process.openFiles {
            text.metric(
                "process_open_fds", .gauge,
                "Open file descriptors of the server; each connection uses one.", open)
        }
        if let max = process.maxFiles {
            text.metric(
                "process_max_fds", .gauge,
                "The limit of open file descriptors. The server accepts no connections beyond it.",
                max)
        }
        if let start = process.startSeconds {
            text.metric(
                "process_start_time_seconds", .gauge,
                "The start of the server, in seconds since 1970.", start)
        }
        text.metric("process_threads", .gauge, "Threads of the server.", process.threads)
    }

    private func addCertificates(to text: inout MetricsText) {
        let name = "weir_certificate_expiry_timestamp_seconds"
        text.family(
            name, .gauge,
            "The end of validity of each certificate that a port sends, in seconds since 1970. "
                + "The label chain is 0 for the server's certificate, and counts its issuers.")
        for port in facts.certificates() {
            for (index, certificate) in port.chain.enumerated() {
                text.sample(
                    name,
                    [
                        ("port", port.port), ("chain", "\(index)"),
                        ("serial", certificate.serialNumber),
                    ],
                    certificate.expirySeconds)
            }
        }
    }
}
