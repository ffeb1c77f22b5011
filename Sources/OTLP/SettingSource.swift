internal import GRPCWire
internal import Traces
internal import Transport

/// A kind of records.
enum Signal: String, CaseIterable {
    case traces = "TRACES"
    case logs = "LOGS"

    /// The name of its processor of batches in variables.
    var processor: String { self == .traces ? "BSP" : "BLRP" }
}

/// Reads settings, of which options precede variables of one kind of records, and these precede
/// variables for all kinds.
struct SettingSource {
    let options: OTLPOptions
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

    private func option(_ field: OTLPOptions.Field) -> Setting? {
        options.texts[field].map { Setting(name: options.name(field), text: $0) }
    }

    private func setting(
        _ name: String, _ signal: Signal, _ field: OTLPOptions.Field? = nil
    ) -> Setting? {
        field.flatMap { option($0) } ?? variable("OTEL_EXPORTER_OTLP_\(signal.rawValue)_\(name)")
            ?? variable("OTEL_EXPORTER_OTLP_\(name)")
    }

    private func endpoint(_ signal: Signal) -> Setting? { setting("ENDPOINT", signal, .endpoint) }

    // MARK: What is exported

    var hasEndpoint: Bool { Signal.allCases.contains { endpoint($0) != nil } }

    /// What an option without an effect needs.
    var needsEndpoint: String {
        "requires \(options.name(.endpoint)) or OTEL_EXPORTER_OTLP_ENDPOINT"
    }

    /// Rejects the first of these options that is given.
    func reject(_ fields: [OTLPOptions.Field], _ why: String) throws(OTLPSettings.Invalid) {
        guard let given = fields.first(where: { options.texts[$0] != nil }) else { return }
        throw OTLPSettings.Invalid(description: "\(options.name(given)) \(why)")
    }

    var isDisabled: Bool {
        get throws(OTLPSettings.Invalid) {
            guard let setting = variable("OTEL_SDK_DISABLED") else { return false }
            return try bool(setting)
        }
    }

    private func isExported(_ signal: Signal) throws(OTLPSettings.Invalid) -> Bool {
        let option = signal == .logs ? option(.logsExporter) : nil
        guard let exporter = option ?? variable("OTEL_\(signal.rawValue)_EXPORTER") else {
            return signal == .traces
        }
        return try word(exporter, ["otlp", "none"]) == "otlp"
    }

    // MARK: Collectors

    /// - Returns: nil if records of the kind are not exported.
    func collector(_ signal: Signal) throws(OTLPSettings.Invalid) -> OTLPSettings.Collector? {
        guard let endpoint = endpoint(signal), try isExported(signal) else { return nil }
        let (address, isTLS) = try location(endpoint, signal)
        var collector = OTLPSettings.Collector(address)
        collector.tls = try tls(signal, isTLS: isTLS, endpoint)
        try configure(&collector, signal) { attempt throws(OTLPSettings.Invalid) in try attempt() }
        return collector
    }

    private typealias Attempt = () throws(OTLPSettings.Invalid) -> Void

    /// Reads the settings of a collector that do not depend on its endpoint.
    ///
    /// - Parameter read: runs the reading of one setting.
    private func configure(
        _ collector: inout OTLPSettings.Collector, _ signal: Signal,
        _ read: (Attempt) throws(OTLPSettings.Invalid) -> Void
    ) throws(OTLPSettings.Invalid) {
        try read { () throws(OTLPSettings.Invalid) in
            guard let form = setting("PROTOCOL", signal), form.text != "grpc" else { return }
            throw form.invalid("use grpc, and the port of the collector for gRPC, usually 4317")
        }
        try read { () throws(OTLPSettings.Invalid) in
            guard let headers = setting("HEADERS", signal, .headers) else { return }
            collector.headers = try metadata(headers)
        }
        try read { () throws(OTLPSettings.Invalid) in
            guard let timeout = setting("TIMEOUT", signal, .timeout) else { return }
            collector.timeout = .milliseconds(try number(timeout, 1...3_600_000))
        }
        try read { () throws(OTLPSettings.Invalid) in
            guard let compression = setting("COMPRESSION", signal, .compression) else { return }
            collector.usesGzip = try word(compression, ["none", "gzip"]) == "gzip"
        }
        let queue = "OTEL_\(signal.processor)"
        try read { () throws(OTLPSettings.Invalid) in
            guard let size = variable("\(queue)_MAX_QUEUE_SIZE") else { return }
            collector.queue.maxQueued = try number(size, 1...1_000_000)
        }
        try read { () throws(OTLPSettings.Invalid) in
            guard let size = variable("\(queue)_MAX_EXPORT_BATCH_SIZE") else { return }
            collector.queue.maxBatch = try number(size, 1...100_000)
        }
        try read { () throws(OTLPSettings.Invalid) in
            guard let delay = variable("\(queue)_SCHEDULE_DELAY") else { return }
            collector.queue.interval = .milliseconds(try number(delay, 1...3_600_000))
        }
    }

    /// The address in `http://HOST:PORT`, `https://HOST:PORT` or `HOST:PORT`.
    private func location(
        _ endpoint: Setting, _ signal: Signal
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
        } else if let insecure = setting("INSECURE", signal) {
            isTLS = try !bool(insecure)
        }
        guard rest.utf8.count <= 300,
            rest.utf8.allSatisfy({ (0x21...0x7e).contains($0) && !"/?#\\".utf8.contains($0) }),
            let parts = HostAndPort(rest), !parts.host.isEmpty, rest.last != ":", parts.port != 0
        else { throw endpoint.invalid(valid) }
        return (Address(host: String(parts.host), port: parts.port ?? 4_317), isTLS)
    }

    private func tls(
        _ signal: Signal, isTLS: Bool, _ endpoint: Setting
    ) throws(OTLPSettings.Invalid) -> ClientTLS? {
        let certificate = setting("CERTIFICATE", signal, .certificate)
        let client = setting("CLIENT_CERTIFICATE", signal, .clientCertificate)
        let key = setting("CLIENT_KEY", signal, .clientKey)
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

    func lateCalls() throws(OTLPSettings.Invalid) -> Int? {
        guard let rate = option(.lateCalls) else { return nil }
        return try number(rate, 0...10_000)
    }

    func attributes() throws(OTLPSettings.Invalid) -> [(String, String)]? {
        guard let setting = option(.attributes) ?? variable("OTEL_RESOURCE_ATTRIBUTES") else {
            return nil
        }
        let attributes = try pairs(setting, maxCount: 128, maxBytes: 16_384, isSecret: false)
        for (name, value) in attributes where name == "service.name" {
            guard Self.isServiceName(value) else {
                throw setting.invalid("service.name: \(Self.validServiceName)")
            }
        }
        return attributes
    }

    func serviceName() throws(OTLPSettings.Invalid) -> String? {
        guard let name = option(.serviceName) ?? variable("OTEL_SERVICE_NAME") else { return nil }
        guard Self.isServiceName(name.text) else { throw name.invalid(Self.validServiceName) }
        return name.text
    }

    private static let validServiceName = "use 1 to 255 bytes without control characters"

    private static func isServiceName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && !text.unicodeScalars.contains(where: \.isControl)
    }

    // MARK: Problems

    /// The errors of all settings, each once, also of those that have no effect.
    var problems: [String] {
        if (try? isDisabled) == true { return [] }
        var found: [String] = []
        func check(_ read: () throws(OTLPSettings.Invalid) -> Void) {
            do throws(OTLPSettings.Invalid) {
                try read()
            } catch  where !found.contains(error.description) {
                found.append(error.description)
            } catch {}
        }
        check { () throws(OTLPSettings.Invalid) in _ = try isDisabled }
        for signal in Signal.allCases {
            check { () throws(OTLPSettings.Invalid) in _ = try isExported(signal) }
            check { () throws(OTLPSettings.Invalid) in
                guard let endpoint = endpoint(signal) else { return }
                _ = try location(endpoint, signal)
            }
            check { () throws(OTLPSettings.Invalid) in
                guard let insecure = setting("INSECURE", signal) else { return }
                _ = try bool(insecure)
            }
            var unused = OTLPSettings.Collector(Address(host: "", port: 0))
            try? configure(&unused, signal, check)
        }
        check { () throws(OTLPSettings.Invalid) in _ = try sampler() }
        check { () throws(OTLPSettings.Invalid) in _ = try attributes() }
        check { () throws(OTLPSettings.Invalid) in _ = try serviceName() }
        return found
    }

    // MARK: Values

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

    private func word(
        _ setting: Setting, _ valid: [String]
    ) throws(OTLPSettings.Invalid) -> String {
        guard valid.contains(setting.text) else {
            throw setting.invalid("use \(valid.joined(separator: " or "))")
        }
        return setting.text
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
