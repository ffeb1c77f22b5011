internal import GRPCWire
package import Logging
internal import Messages
package import Transport

/// Exports the spans and the log records of a server.
package final class OTLPExport: Sendable {
    /// The time for the last requests when the server stops.
    package static let stopTimeout = Duration.seconds(5)

    /// Exports log records; nil without a collector for them.
    package let logs: Exporter<LogRecord>?
    private let clients: [CollectorClient]

    /// Throws if the files of the TLS settings cannot be used.
    ///
    /// - Parameters:
    ///   - version: of the program.
    ///   - name: of the server among those of a fleet.
    package init(
        _ settings: OTLPSettings, version: String, name: String, log: Logger
    ) throws(TLSFailure) {
        let facts = [
            "service.version": version, "service.instance.id": name, "telemetry.sdk.name": "weir",
            "telemetry.sdk.language": "swift", "telemetry.sdk.version": version,
        ]
        let resource = Otlp_Resource(facts.merging(settings.resource) { $1 })
        let scope = Otlp_InstrumentationScope(name: "weir", version: version)
        var clients: [CollectorClient] = []
        func client(
            _ collector: OTLPSettings.Collector, _ service: String
        ) throws(TLSFailure) -> CollectorClient {
            let client = try CollectorClient(collector, service: service) { log.warning("\($0)") }
            clients.append(client)
            return client
        }
        if let collector = settings.logs {
            let client = try client(collector, "logs.v1.LogsService")
            logs = Exporter(
                "log records", collector.queue,
                .init(
                    encode: { records in
                        let scoped = Otlp_ScopeLogs(
                            scope: scope, logRecords: records.map { Otlp_LogRecord($0) })
                        let request = Otlp_LogsRequest(
                            resourceLogs: [.init(resource: resource, scopeLogs: [scoped])])
                        var bytes: [UInt8] = []
                        request.serialize(appendingTo: &bytes)
                        return bytes
                    }, send: { await client.send($0) }), log: log)
        } else {
            logs = nil
        }
        self.clients = clients
    }

    /// Begins to export.
    package func start() {
        logs?.start()
    }

    /// Exports what is left, for at most `stopTimeout`, and closes the connections.
    package func stop() async {
        await logs?.stop(within: Self.stopTimeout)
        for client in clients { await client.close() }
    }

    /// The counts by kind of records.
    package var figures: [(signal: String, figures: ExportFigures)] {
        var all: [(String, ExportFigures)] = []
        if let logs { all.append(("logs", logs.figures)) }
        return all
    }
}
