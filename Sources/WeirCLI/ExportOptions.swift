internal import ArgumentParser
internal import Foundation
internal import OTLP
internal import Weir

/// The options of `weir serve` for the export of spans and log records.
struct ExportOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Export to this collector over OTLP/gRPC, for example http://127.0.0.1:4317 "
                + "(default: $OTEL_EXPORTER_OTLP_ENDPOINT).", valueName: "url"))
    var otlp: String?

    @Option(
        help: ArgumentHelp(
            "Headers of each request, NAME=VALUE,... Other users of the machine can read options; "
                + "for a secret, use the variable (default: $OTEL_EXPORTER_OTLP_HEADERS).",
            valueName: "headers"))
    var otlpHeaders: String?

    @Option(
        help: ArgumentHelp(
            "The seconds that one attempt to export may take, 0.001 to 3600 (default: "
                + "$OTEL_EXPORTER_OTLP_TIMEOUT, in milliseconds, or 10 seconds).",
            valueName: "seconds"),
        transform: Bounded.decimal(0.001...3_600))
    var otlpTimeout: Double?

    @Option(
        help: ArgumentHelp(
            "gzip or none (default: $OTEL_EXPORTER_OTLP_COMPRESSION, or none).",
            valueName: "encoding"))
    var otlpCompression: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities of the collector (default: "
                + "$OTEL_EXPORTER_OTLP_CERTIFICATE, or those of the system).", valueName: "file"),
        completion: .file())
    var otlpCa: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the server's certificate as a client of the collector (default: "
                + "$OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE).", valueName: "file"),
        completion: .file())
    var otlpCert: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the key of that certificate (default: $OTEL_EXPORTER_OTLP_CLIENT_KEY).",
            valueName: "file"), completion: .file())
    var otlpKey: String?

    @Option(
        help: ArgumentHelp(
            "The name in the collector's certificate, if it differs from the host of the URL.",
            valueName: "name"))
    var otlpServerName: String?

    @Option(
        help: ArgumentHelp(
            "The attribute service.name (default: $OTEL_SERVICE_NAME, or weir).",
            valueName: "name"))
    var otlpServiceName: String?

    @Option(
        help: ArgumentHelp(
            "Attributes of the server, NAME=VALUE,... (default: $OTEL_RESOURCE_ATTRIBUTES).",
            valueName: "attributes"))
    var otlpAttributes: String?

    @Option(
        help: ArgumentHelp(
            "The share of calls to trace if the caller did not decide, 0 to 1 (default: "
                + "$OTEL_TRACES_SAMPLER and $OTEL_TRACES_SAMPLER_ARG, or 0). Requires an "
                + "endpoint of OTLP.", valueName: "ratio"),
        transform: Bounded.share)
    var traceRatio: Double?

    @Option(
        help: ArgumentHelp(
            "Also trace calls that failed, were slow or differed in a shadow, at most this many a "
                + "second, 0 to 10000 (default: 10).", valueName: "count"),
        transform: Bounded.whole(0...10_000))
    var traceLate: Int?

    @Flag(
        help: ArgumentHelp(
            "Also export each call as a log record, of which --access-log-share is the share "
                + "(default: $OTEL_LOGS_EXPORTER is otlp)."))
    var otlpCalls = false

    private var options: OTLPOptions {
        let texts: [OTLPOptions.Field: String?] = [
            .endpoint: otlp, .headers: otlpHeaders,
            .timeout: otlpTimeout.map { "\(Int(($0 * 1_000).rounded()))" },
            .compression: otlpCompression, .certificate: otlpCa, .clientCertificate: otlpCert,
            .clientKey: otlpKey, .serverName: otlpServerName, .serviceName: otlpServiceName,
            .attributes: otlpAttributes, .ratio: traceRatio.map { "\($0)" },
            .lateCalls: traceLate.map { "\($0)" }, .logsExporter: otlpCalls ? "otlp" : nil,
        ]
        return OTLPOptions(texts.compactMapValues(\.self)) { $0.optionName }
    }

    /// Nil if nothing is exported.
    func settings() throws(ValidationError) -> OTLPSettings? {
        do throws(OTLPSettings.Invalid) {
            return try OTLPSettings(
                environment: ProcessInfo.processInfo.environment, options: options)
        } catch {
            throw ValidationError(error.description)
        }
    }

    /// What is invalid in OpenTelemetry's variables although the settings are valid: variables of
    /// what is not exported, and those that options precede.
    static var ignoredProblems: [String] {
        OTLPSettings.problems(in: ProcessInfo.processInfo.environment)
    }

    func validate() throws { _ = try settings() }
}

extension OTLPOptions.Field {
    /// The name of the option of `weir serve`.
    fileprivate var optionName: String {
        switch self {
        case .endpoint: "--otlp"
        case .headers: "--otlp-headers"
        case .timeout: "--otlp-timeout"
        case .compression: "--otlp-compression"
        case .certificate: "--otlp-ca"
        case .clientCertificate: "--otlp-cert"
        case .clientKey: "--otlp-key"
        case .serverName: "--otlp-server-name"
        case .serviceName: "--otlp-service-name"
        case .attributes: "--otlp-attributes"
        case .ratio: "--trace-ratio"
        case .lateCalls: "--trace-late"
        case .logsExporter: "--otlp-calls"
        }
    }
}
