internal import GRPCWire
internal import Traces
internal import Transport

/// Settings that a command has as options; each takes precedence over the variables.
package enum OTLPOption: String, CaseIterable, Sendable {
    case endpoint = "--otlp"
    case headers = "--otlp-headers"
    case timeout = "--otlp-timeout"
    case certificate = "--otlp-ca"
    case clientCertificate = "--otlp-cert"
    case clientKey = "--otlp-key"
    case serverName = "--otlp-server-name"
    case compression = "--otlp-compression"
    case serviceName = "--otlp-service-name"
    case attributes = "--otlp-attributes"
    case ratio = "--trace-ratio"
}

/// Settings from OpenTelemetry's environment variables ("OpenTelemetry Environment Variable
/// Specification" and "OpenTelemetry Protocol Exporter"). An empty variable counts as not set.
extension OTLPSettings {
    /// Settings from the environment; nil if it names no endpoint, or disables the export.
    public init?(environment: [String: String]) throws(Invalid) {
        try self.init(environment: environment, options: [:])
    }

    /// Settings from options, and from the environment for those that are not given.
    ///
    /// - Parameter exportsCalls: whether calls are exported unless `OTEL_LOGS_EXPORTER` is `none`;
    ///   otherwise, if it is `otlp`.
    package init?(
        environment: [String: String], options: [OTLPOption: String], exportsCalls: Bool = false
    ) throws(Invalid) {
        self.init()
        let source = SettingSource(options: options, environment: environment)
        guard try !source.isDisabled else { return nil }
        traces = try source.collector("TRACES", queue: "BSP", isDefault: true)
        logs = try source.collector("LOGS", queue: "BLRP", isDefault: exportsCalls)
        guard traces != nil || logs != nil else {
            guard let option = source.orphan else { return nil }
            throw Invalid(
                description: "\(option.rawValue) requires \(OTLPOption.endpoint.rawValue) or "
                    + "OTEL_EXPORTER_OTLP_ENDPOINT")
        }
        if let sampler = try source.sampler() { self.sampler = sampler }
        if let attributes = try source.attributes() { resource.merge(attributes) { $1 } }
        if let name = try source.serviceName() { resource["service.name"] = name }
    }
}

/// Reads settings, of which options precede variables of one kind of records, and these precede
/// variables for all kinds.
private struct SettingSource {
    let options: [OTLPOption: String]
    let environment: [String: String]

    /// A setting with its name, for errors.
    struct Setting {
        let name: String
        let text: String

        /// - Parameter isSecret: whether the value is not shown.
        func invalid(_ valid: String, isSecret: Bool = false) -> OTLPSettings.Invalid {
            let shown = isSecret ? "" : " \(text.quoted)"
            return OTLPSettings.Invalid(description: "invalid \(name)\(shown): \(valid)")
        }
    }

    private func variable(_ name: String) -> Setting? {
        guard let text = environment[name], !text.isEmpty else { return nil }
        return Setting(name: name, text: text)
    }

    private func option(_ option: OTLPOption) -> Setting? {
        options[option].map { Setting(name: option.rawValue, text: $0) }
    }

    private func setting(_ name: String, _ kind: String, _ option: OTLPOption?) -> Setting? {
        option.flatMap { self.option($0) } ?? variable("OTEL_EXPORTER_OTLP_\(kind)_\(name)")
            ?? variable("OTEL_EXPORTER_OTLP_\(name)")
    }

    /// An option that has no effect, because no endpoint is set; nil if none is given.
    var orphan: OTLPOption? {
        let hasEndpoint = ["TRACES", "LOGS"].contains { setting("ENDPOINT", $0, .endpoint) != nil }
        return hasEndpoint ? nil : OTLPOption.allCases.first { options[$0] != nil }
    }

    var isDisabled: Bool {
        get throws(OTLPSettings.Invalid) {
            guard let setting = variable("OTEL_SDK_DISABLED") else { return false }
            return try bool(setting)
        }
    }

    /// - Returns: nil if records of the kind are not exported.
    func collector(
        _ kind: String, queue: String, isDefault: Bool
    ) throws(OTLPSettings.Invalid) -> OTLPSettings.Collector? {
        guard let endpoint = setting("ENDPOINT", kind, .endpoint) else { return nil }
        let exporter = variable("OTEL_\(kind)_EXPORTER")
        switch exporter?.text ?? (isDefault ? "otlp" : "none") {
        case "otlp": break
        case "none": return nil
        default: if let exporter { throw exporter.invalid("use otlp or none") }
        }
        if let form = setting("PROTOCOL", kind, nil), form.text != "grpc" {
            throw form.invalid("use grpc, and the port of the collector for gRPC, usually 4317")
        }
        let (address, isTLS) = try location(endpoint, kind)
        var collector = OTLPSettings.Collector(address)
        collector.tls = try tls(kind, isTLS: isTLS, endpoint)
        if let headers = setting("HEADERS", kind, .headers) {
            collector.headers = try metadata(headers)
        }
        if let timeout = setting("TIMEOUT", kind, .timeout) {
            collector.timeout = .milliseconds(try number(timeout, 1...3_600_000))
        }
        if let compression = setting("COMPRESSION", kind, .compression) {
            switch compression.text {
            case "gzip": collector.usesGzip = true
            case "none": collector.usesGzip = false
            default: throw compression.invalid("use gzip or none")
            }
        }
        if let size = variable("OTEL_\(queue)_MAX_QUEUE_SIZE") {
            collector.queue.maxQueued = try number(size, 1...1_000_000)
        }
        if let size = variable("OTEL_\(queue)_MAX_EXPORT_BATCH_SIZE") {
            collector.queue.maxBatch = try number(size, 1...100_000)
        }
        if let delay = variable("OTEL_\(queue)_SCHEDULE_DELAY") {
            collector.queue.interval = .milliseconds(try number(delay, 1...3_600_000))
        }
        return collector
    }

    /// The address in `http://HOST:PORT`, `https://HOST:PORT` or `HOST:PORT`.
    private func location(
        _ endpoint: Setting, _ kind: String
    ) throws(OTLPSettings.Invalid) -> (Address, isTLS: Bool) {
        let valid = "use http://HOST:PORT or https://HOST:PORT, for example http://127.0.0.1:4317"
        // Credentials may be in the text.
        guard !endpoint.text.contains("@") else {
            throw endpoint.invalid("\(valid), and headers for credentials", isSecret: true)
        }
        var rest = endpoint.text[...]
        var isTLS = true
        if let scheme = [("http://", false), ("https://", true)].first(
            where: { rest.lowercased().hasPrefix($0.0) })
        {
            rest = rest.dropFirst(scheme.0.count)
            isTLS = scheme.1
            if rest.last == "/" { rest = rest.dropLast() }
        } else if let insecure = setting("INSECURE", kind, nil) {
            isTLS = try !bool(insecure)
        }
        guard rest.utf8.count <= 300,
            rest.utf8.allSatisfy({ (0x21...0x7e).contains($0) && !"/?#\\".utf8.contains($0) }),
            let parts = HostAndPort(rest), !parts.host.isEmpty, rest.last != ":", parts.port != 0
        else { throw endpoint.invalid(valid) }
        return (Address(host: String(parts.host), port: parts.port ?? 4_317), isTLS)
    }

    private func tls(
        _ kind: String, isTLS: Bool, _ endpoint: Setting
    ) throws(OTLPSettings.Invalid) -> ClientTLS? {
        let certificate = setting("CERTIFICATE", kind, .certificate)
        let client = setting("CLIENT_CERTIFICATE", kind, .clientCertificate)
        let key = setting("CLIENT_KEY", kind, .clientKey)
        let serverName = option(.serverName)
        guard isTLS else {
            if let given = certificate ?? client ?? key ?? serverName {
                throw given.invalid("the endpoint \(endpoint.text.quoted) must be https")
            }
            return nil
        }
        if let one = client ?? key, client == nil || key == nil {
            throw one.invalid("a client needs a certificate and its key")
        }
        var tls = ClientTLS()
        tls.caFile = certificate?.text ?? ""
        tls.certificateFile = client?.text ?? ""
        tls.keyFile = key?.text ?? ""
        tls.serverName = serverName?.text ?? ""
        return tls
    }

    private func metadata(_ headers: Setting) throws(OTLPSettings.Invalid) -> Metadata {
        var metadata = Metadata()
        for (name, value) in try pairs(headers, maxCount: 64, maxBytes: 8_192, isSecret: true) {
            metadata.add(name, value)
            guard let field = metadata.fields.last, Metadata.isValid(field),
                !Metadata.isReserved(field.name)
            else {
                throw OTLPSettings.Invalid(
                    description: "invalid \(headers.name): the header \(name.quoted) cannot be "
                        + "sent; use names and values that gRPC allows")
            }
        }
        return metadata
    }

    func sampler() throws(OTLPSettings.Invalid) -> TraceSampler? {
        let ratio = option(.ratio)
        guard let setting = ratio ?? variable("OTEL_TRACES_SAMPLER") else { return nil }
        let argument = ratio ?? variable("OTEL_TRACES_SAMPLER_ARG")
        do throws(TraceSampler.Invalid) {
            return try TraceSampler(
                name: ratio == nil ? setting.text : "parentbased_traceidratio",
                argument: argument?.text)
        } catch {
            let names = [setting.name, ratio == nil ? argument?.name : nil].compactMap { $0 }
            throw OTLPSettings.Invalid(
                description: "\(names.joined(separator: ", ")): \(error.description)")
        }
    }

    func attributes() throws(OTLPSettings.Invalid) -> [(String, String)]? {
        guard let setting = option(.attributes) ?? variable("OTEL_RESOURCE_ATTRIBUTES") else {
            return nil
        }
        return try pairs(setting, maxCount: 128, maxBytes: 16_384, isSecret: false)
    }

    func serviceName() throws(OTLPSettings.Invalid) -> String? {
        guard let name = option(.serviceName) ?? variable("OTEL_SERVICE_NAME") else { return nil }
        guard (1...255).contains(name.text.utf8.count),
            !name.text.unicodeScalars.contains(where: \.isControl)
        else { throw name.invalid("use 1 to 255 bytes without control characters") }
        return name.text
    }

    /// `NAME=VALUE,...`, whose values are percent-encoded (W3C Baggage).
    private func pairs(
        _ setting: Setting, maxCount: Int, maxBytes: Int, isSecret: Bool
    ) throws(OTLPSettings.Invalid) -> [(String, String)] {
        guard setting.text.utf8.count <= maxBytes else {
            throw setting.invalid("use at most \(maxBytes) bytes", isSecret: true)
        }
        var pairs: [(String, String)] = []
        for item in setting.text.split(separator: ",") where !item.allSatisfy({ $0 == " " }) {
            let halves = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { String(decoding: Array($0.utf8).trimmed, as: UTF8.self) }
            guard halves.count == 2, !halves[0].isEmpty else {
                throw setting.invalid("use NAME=VALUE,NAME=VALUE", isSecret: isSecret)
            }
            pairs.append((halves[0], StatusMessage.decode(halves[1])))
        }
        guard pairs.count <= maxCount else {
            throw setting.invalid("use at most \(maxCount) pairs", isSecret: true)
        }
        return pairs
    }

    private func bool(_ setting: Setting) throws(OTLPSettings.Invalid) -> Bool {
        switch setting.text.lowercased() {
        case "true": return true
        case "false": return false
        default: throw setting.invalid("use true or false")
        }
    }

    private func number(
        _ setting: Setting, _ range: ClosedRange<Int>
    ) throws(OTLPSettings.Invalid) -> Int {
        let digits = Array(setting.text.utf8)
        guard let number = DecimalNumber.parse(digits.span), range.contains(number) else {
            throw setting.invalid(
                "use a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
