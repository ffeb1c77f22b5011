internal import GRPCWire
package import Logging
internal import Messages
package import Observability
package import Traces
package import Transport

/// Exports the spans and the calls of a server.
package final class OTLPExport: Sendable {
    /// Exports spans; nil without a collector for them.
    package let traces: Exporter<TraceSpan>?
    /// Exports calls as log records; nil without a collector for them.
    package let calls: Exporter<CallRecord>?
    /// By the records that they export.
    private let clients: [(records: String, client: CollectorClient)]
    private let log: Logger

    /// - Parameters:
    ///   - version: of the program.
    ///   - name: of the server among those of a fleet.
    package init(_ settings: OTLPSettings, version: String, name: String, log: Logger) {
        self.log = log
        let facts = [
            "service.version": version, "service.instance.id": name, "telemetry.sdk.name": "weir",
            "telemetry.sdk.language": "swift", "telemetry.sdk.version": version,
        ]
        let resource = Otlp_Resource(facts.merging(settings.resource) { $1 })
        let scope = Otlp_InstrumentationScope(name: "weir", version: version)
        var clients: [(String, CollectorClient)] = []
        func exporter<Record>(
            _ name: String, _ collector: OTLPSettings.Collector?, service: String,
            encode: @escaping @Sendable ([Record]) -> [UInt8]
        ) -> Exporter<Record>? {
            guard let collector else { return nil }
            let client = CollectorClient(collector, service: service)
            clients.append((name, client))
            return Exporter(
                name, collector.queue, .init(encode: encode, send: { await client.send($0) }),
                log: log)
        }
        traces = exporter("spans", settings.traces, service: "trace.v1.TraceService") { spans in
            let scoped = Otlp_ScopeSpans(scope: scope, spans: spans.map { Otlp_Span($0) })
            let request = Otlp_TraceRequest(
                resourceSpans: [.init(resource: resource, scopeSpans: [scoped])])
            var bytes: [UInt8] = []
            request.serialize(appendingTo: &bytes)
            return bytes
        }
        calls = exporter("log records", settings.logs, service: "logs.v1.LogsService") { calls in
            let scoped = Otlp_ScopeLogs(scope: scope, logRecords: calls.map { Otlp_LogRecord($0) })
            let request = Otlp_LogsRequest(
                resourceLogs: [.init(resource: resource, scopeLogs: [scoped])])
            var bytes: [UInt8] = []
            request.serialize(appendingTo: &bytes)
            return bytes
        }
        self.clients = clients
    }

    /// Begins to export. Throws if the files of the TLS settings cannot be used.
    package func start() throws(TLSFailure) {
        for (_, client) in clients {
            for warning in try client.open() { log.warning("\(warning)") }
        }
        traces?.start()
        calls?.start()
    }

    /// Reads the files of the TLS settings again. If a file is invalid, the log has the error, and
    /// the previous content stays in use.
    ///
    /// - Parameter onlyChanged: whether to skip unchanged files.
    package func reload(onlyChanged: Bool) {
        for (records, client) in clients {
            do throws(TLSFailure) {
                guard let warnings = try client.reload(onlyChanged: onlyChanged) else { continue }
                for warning in warnings { log.warning("\(warning)") }
                log.notice("TLS files of the export read", metadata: ["records": "\(records)"])
            } catch {
                log.error(
                    "the previous TLS files of the export stay in use",
                    metadata: ["records": "\(records)", "reason": "\(error.description)"])
            }
        }
    }

    /// Exports what is left, for at most `ExportLimits.stopTimeout`, and closes the connections.
    package func stop() async {
        async let tracesStop: Void? = traces?.stop(within: ExportLimits.stopTimeout)
        await calls?.stop(within: ExportLimits.stopTimeout)
        _ = await tracesStop
        for (_, client) in clients { await client.close() }
    }

    /// The counts by kind of records.
    package var figures: [(signal: String, figures: ExportFigures)] {
        var all: [(String, ExportFigures)] = []
        if let traces { all.append(("traces", traces.figures)) }
        if let calls { all.append(("logs", calls.figures)) }
        return all
    }
}
