/// Settings that a command has as options; each takes precedence over the variables.
package struct OTLPOptions: Sendable {
    /// A setting.
    package enum Field: CaseIterable, Sendable {
        case endpoint, headers, timeout, compression
        case certificate, clientCertificate, clientKey, serverName
        case serviceName, attributes
        case ratio, lateCalls
        /// As `OTEL_LOGS_EXPORTER`: `otlp` or `none`.
        case logsExporter
    }

    /// The options that are given.
    let texts: [Field: String]
    /// The name of an option, for errors.
    let name: @Sendable (Field) -> String

    /// Options, with the names that the user of the command knows.
    package init(_ texts: [Field: String] = [:], name: @escaping @Sendable (Field) -> String) {
        (self.texts, self.name) = (texts, name)
    }

    static let none = OTLPOptions { _ in "" }
}

/// Settings from OpenTelemetry's environment variables ("OpenTelemetry Environment Variable
/// Specification" and "OpenTelemetry Protocol Exporter"). An empty variable counts as not set.
extension OTLPSettings {
    /// Settings from the environment; nil if it names no endpoint, or disables the export.
    public init?(environment: [String: String]) throws(Invalid) {
        try self.init(environment: environment, options: .none)
    }

    /// Settings from options, and from the environment for those that are not given. An option
    /// without an effect is an error, unless `OTEL_SDK_DISABLED` disables the export.
    package init?(environment: [String: String], options: OTLPOptions) throws(Invalid) {
        self.init()
        let source = SettingSource(options: options, environment: environment)
        if (try? source.isDisabled) == true { return nil }
        guard source.hasEndpoint else {
            try source.reject(OTLPOptions.Field.allCases, source.needsEndpoint)
            return nil
        }
        _ = try source.isDisabled
        traces = try source.collector(.traces)
        logs = try source.collector(.logs)
        if traces == nil {
            let remedy = "unset OTEL_TRACES_EXPORTER"
            guard logs != nil else {
                try source.reject(
                    OTLPOptions.Field.allCases,
                    "has no effect, because nothing is exported: "
                        + "\(remedy), or add \(options.name(.logsExporter))")
                return nil
            }
            try source.reject(
                [.ratio, .lateCalls], "has no effect, because spans are not exported: \(remedy)")
        } else if logs == nil {
            try source.reject([.logsExporter], source.needsEndpoint)
        }
        if let sampler = try source.sampler() { self.sampler = sampler }
        if let rate = try source.lateCalls() { lateCallsPerSecond = rate }
        if let attributes = try source.attributes() { resource.merge(attributes) { $1 } }
        if let name = try source.serviceName() { resource["service.name"] = name }
    }

    /// The errors of all variables, also of those that have no effect.
    package static func problems(in environment: [String: String]) -> [String] {
        SettingSource(options: .none, environment: environment).problems
    }
}
