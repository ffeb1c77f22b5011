internal import GRPCWire
internal import Messages
internal import Transport

@testable internal import OTLP

/// The settings of the export of spans, and the answers of a collector.
enum ExportFuzz {
    private static let variables = [
        "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_EXPORTER_OTLP_COMPRESSION",
    ]

    /// The input is the values of variables, one a line, and the details of a status.
    static func feed(_ bytes: [UInt8]) {
        let lines = String(decoding: bytes, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        read(Dictionary(zip(variables, lines)) { $1 })
        // Each line as one variable, with valid ones besides.
        for (name, line) in zip(variables, lines) {
            read([variables[0]: "http://c"].merging([name: line]) { $1 })
        }
        answer(bytes)
    }

    private static func read(_ environment: [String: String]) {
        do throws(OTLPSettings.Invalid) {
            for problem in OTLPSettings.problems(in: environment) { check(problem) }
            let settings = try OTLPSettings(environment: environment)
            guard let collector = settings?.traces else { return }
            precondition((1...65_535).contains(collector.address.port))
            precondition(!collector.address.host.isEmpty)
            precondition(collector.headers.fields.allSatisfy { Metadata.isValid($0) })
            precondition((.milliseconds(1)...(.seconds(3_600))).contains(collector.timeout))
            precondition((1...1_000_000).contains(collector.queue.maxQueued))
            precondition(settings?.resource["service.name"]?.isEmpty == false)
        } catch {
            check(error.description)
        }
    }

    private static func check(_ problem: String) {
        precondition(problem.utf8.count < 2_048)
        precondition(!problem.unicodeScalars.contains(where: \.isControl))
    }

    private static func answer(_ bytes: [UInt8]) {
        var metadata = Metadata()
        metadata.add("grpc-status-details-bin", bytes: bytes)
        for code in [StatusCode.resourceExhausted, .unavailable] {
            var attempts = ExportAttempts()
            let answer = ExportAnswer(RPCError(code, "why", metadata: metadata))
            guard case .retry(let delay, _) = attempts.ended(answer, random: 0.5) else { continue }
            precondition((.zero...ExportLimits.maxRetryDelay).contains(delay))
        }
        if let response = try? Otlp_ExportResponse(serializedBytes: bytes) {
            var attempts = ExportAttempts()
            _ = attempts.ended(ExportAnswer(response), random: 0.5)
        }
    }
}
