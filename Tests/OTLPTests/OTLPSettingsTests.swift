internal import GRPCWire
internal import Testing
internal import Traces
internal import Transport

@testable internal import OTLP

@Suite struct OTLPSettingsTests {
    private static let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"

    /// The settings, or the error.
    private static func read(
        _ variables: [String: String], _ options: [OTLPOption: String] = [:]
    ) -> Result<OTLPSettings?, OTLPSettings.Invalid> {
        Result { () throws(OTLPSettings.Invalid) in
            try OTLPSettings(environment: variables, options: options, exportsCalls: true)
        }
    }

    private static func with(_ name: String, _ value: String) -> OTLPSettings? {
        try? read([endpoint: "https://c:1", name: value]).get()
    }

    @Test(
        "An endpoint is a URL, or an address with TLS",
        arguments: [
            ("http://127.0.0.1:4317", "127.0.0.1:4317", false),
            ("https://collector:4317/", "collector:4317", true),
            ("HTTP://c", "c:4317", false), ("https://[::1]:1", "[::1]:1", true),
            ("c:65535", "c:65535", true), ("c", "c:4317", true),
        ])
    func endpoints(text: String, address: String, isTLS: Bool) throws {
        for (variables, options) in [
            ([Self.endpoint: text], [:]), ([:], [OTLPOption.endpoint: text]),
            ([Self.endpoint: "http://other:1"], [.endpoint: text]),
        ] {
            let settings = try #require(try Self.read(variables, options).get())
            #expect(settings.traces?.address.description == address)
            #expect((settings.traces?.tls != nil) == isTLS)
            #expect(settings.logs == settings.traces)
        }
    }

    @Test(
        "An invalid endpoint is an error",
        arguments: [
            "http://", "http://:1", "http://c:", "http://c:0", "http://c:65536", "http://c:-1",
            "http://c:x", "http://c/v1/traces", "http://c?x", "http://c#x", "ftp://c", "unix:/c",
            "http://[::1", "a b", "http://c\n", "c:99999999999999999999", "::1", "http://é",
            String(repeating: "x", count: 301),
        ])
    func invalidEndpoints(text: String) {
        #expect(throws: OTLPSettings.Invalid.self) { try Self.read([Self.endpoint: text]).get() }
    }

    @Test("An error does not show credentials")
    func credentials() {
        for variables in [
            [Self.endpoint: "http://user:secret@c"],
            [Self.endpoint: "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "secret"],
            [Self.endpoint: "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=secret%0a"],
        ] {
            guard case .failure(let error) = Self.read(variables) else {
                Issue.record("accepted")
                continue
            }
            #expect(!error.description.contains("secret"))
        }
    }

    @Test(
        "Without an endpoint, or with the export disabled, nothing is exported",
        arguments: [
            [:], [endpoint: ""], ["OTEL_EXPORTER_OTLP_HEADERS": "a=b"],
            [endpoint: "http://c", "OTEL_SDK_DISABLED": "true"],
            [
                endpoint: "http://c", "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
            ],
        ])
    func nothing(variables: [String: String]) throws {
        #expect(try Self.read(variables).get() == nil)
    }

    @Test("An option without an endpoint is an error, which names it")
    func orphan() {
        for option in OTLPOption.allCases where option != .endpoint {
            guard case .failure(let error) = Self.read([:], [option: "1"]) else {
                Issue.record("\(option) accepted")
                continue
            }
            #expect(error.description.hasPrefix("\(option.rawValue) requires --otlp"))
        }
    }

    @Test("A variable of one kind of records precedes that of all kinds, and an option both")
    func precedence() throws {
        var variables = [
            Self.endpoint: "http://all:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://spans:2",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "5", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "7",
        ]
        let settings = try #require(try Self.read(variables).get())
        #expect(settings.traces?.address.host == "spans")
        #expect(settings.logs?.address.host == "all")
        #expect(settings.traces?.timeout == .milliseconds(5))
        #expect(settings.logs?.timeout == .milliseconds(7))
        let given = try #require(
            try Self.read(variables, [.endpoint: "http://o:3", .timeout: "9"]).get())
        #expect(given.traces?.address.host == "o")
        #expect(given.logs?.timeout == .milliseconds(9))
        variables["OTEL_TRACES_EXPORTER"] = "none"
        #expect(try Self.read(variables).get()?.traces == nil)
    }

    @Test("Calls are exported if an option or the variable says so")
    func calls() throws {
        for (value, isOn, expected) in [
            (nil, false, false), (nil, true, true), ("otlp", false, true), ("none", true, false),
        ] as [(String?, Bool, Bool)] {
            var variables = [Self.endpoint: "http://c"]
            variables["OTEL_LOGS_EXPORTER"] = value
            let settings = try OTLPSettings(
                environment: variables, options: [:], exportsCalls: isOn)
            #expect((settings?.logs != nil) == expected)
        }
    }

    @Test("The defaults are those of OpenTelemetry, without samples of Weir's own")
    func defaults() throws {
        let settings = try #require(try Self.read([Self.endpoint: "http://c"]).get())
        let collector = try #require(settings.traces)
        #expect(collector.timeout == .seconds(10))
        #expect(!collector.usesGzip)
        #expect(collector.headers.isEmpty)
        #expect(collector.queue.maxQueued == 2_048)
        #expect(collector.queue.maxBatch == 512)
        #expect(collector.queue.interval == .seconds(5))
        #expect(settings.resource == ["service.name": "weir"])
        #expect(settings.sampler == TraceSampler(ratio: 0))
    }

    private static let numbers = [
        "-1", "+1", "0x1", " 1", "1 ", "1.5", "nan", "1e300", "9999999999", "99999999999999999999",
        "a\nb",
    ]

    @Test(
        "A number has a range",
        arguments: [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", 3_600_000), ("OTEL_BSP_MAX_QUEUE_SIZE", 1_000_000),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", 1_000_000), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 100_000),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 100_000),
            ("OTEL_BSP_SCHEDULE_DELAY", 3_600_000), ("OTEL_BLRP_SCHEDULE_DELAY", 3_600_000),
        ])
    func ranges(name: String, most: Int) {
        for (value, isValid) in [
            ("1", true), ("\(most)", true), ("0", false), ("\(most + 1)", false),
        ]
            + Self.numbers.map({ ($0, false) })
        {
            #expect((Self.with(name, value) != nil) == isValid, "\(name)=\(value)")
        }
    }

    @Test(
        "A word is one of a list",
        arguments: [
            ("OTEL_EXPORTER_OTLP_COMPRESSION", ["gzip", "none"]),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", ["grpc"]), ("OTEL_TRACES_EXPORTER", ["otlp", "none"]),
            ("OTEL_LOGS_EXPORTER", ["otlp", "none"]), ("OTEL_SDK_DISABLED", ["false"]),
            ("OTEL_TRACES_SAMPLER", TraceSampler.names),
        ])
    func words(name: String, valid: [String]) {
        for value in valid { #expect(Self.with(name, value) != nil, "\(name)=\(value)") }
        for value in [
            "x", "http/protobuf", " grpc", "\u{1b}[2J", String(repeating: "x", count: 9_999),
        ] {
            guard case .failure(let error) = Self.read([Self.endpoint: "http://c", name: value])
            else {
                Issue.record("\(name)=\(value) accepted")
                continue
            }
            #expect(error.description.contains(name))
            #expect(error.description.utf8.count < 400)
        }
    }

    @Test(
        "Headers are pairs whose values are percent-encoded",
        arguments: [
            ("a=b", ["a": "b"]), ("A=b", ["a": "b"]), ("a=b,c=d", ["a": "b", "c": "d"]),
            (" a = b , c=", ["a": "b", "c": ""]), ("a=b%20c%2Cd=", ["a": "b c,d="]),
            ("authorization=Bearer x=y", ["authorization": "Bearer x=y"]), (",", [:]),
        ])
    func headers(text: String, expected: [String: String]) throws {
        let headers = try #require(Self.with("OTEL_EXPORTER_OTLP_HEADERS", text)?.traces?.headers)
        #expect(headers.fields.count == expected.count)
        for (name, value) in expected { #expect(headers[name] == value) }
    }

    @Test(
        "Headers that gRPC does not allow are an error",
        arguments: [
            "a", "=b", "a=b,c", ":path=x", "grpc-timeout=1S", "te=x", "content-type=x", "é=x",
            "a b=x", "a=é", "a=%0a", "a=%00",
            (0...64).map { "a\($0)=b" }.joined(separator: ","),
            "a=" + String(repeating: "x", count: 8_192),
        ])
    func invalidHeaders(text: String) {
        #expect(Self.with("OTEL_EXPORTER_OTLP_HEADERS", text) == nil)
    }

    @Test("Attributes are added to the resource, and the name of the service precedes them")
    func resource() {
        let variables = [
            Self.endpoint: "http://c", "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,zone=%C3%A9",
        ]
        #expect(
            (try? Self.read(variables).get())?.resource == ["service.name": "a", "zone": "é"])
        let named = variables.merging(["OTEL_SERVICE_NAME": "b"]) { $1 }
        #expect((try? Self.read(named).get())?.resource["service.name"] == "b")
        #expect(
            (try? Self.read(named, [.serviceName: "c"]).get())?.resource["service.name"] == "c")
        for (name, value) in [
            ("OTEL_RESOURCE_ATTRIBUTES", "a"), ("OTEL_SERVICE_NAME", "a\n"),
            ("OTEL_SERVICE_NAME", String(repeating: "x", count: 256)),
            ("OTEL_RESOURCE_ATTRIBUTES", (0...128).map { "a\($0)=b" }.joined(separator: ",")),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=" + String(repeating: "x", count: 16_384)),
        ] {
            #expect(Self.with(name, value) == nil, "\(name)")
        }
    }

    @Test("The files of TLS require https, and a certificate its key")
    func tls() throws {
        let files = [
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "cert",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": "key",
        ]
        let secure = files.merging([Self.endpoint: "https://c"]) { $1 }
        let tls = try #require(try Self.read(secure, [.serverName: "n"]).get()?.traces?.tls)
        #expect((tls.caFile, tls.certificateFile) == ("ca", "cert"))
        #expect((tls.keyFile, tls.serverName) == ("key", "n"))
        for (name, value) in files {
            #expect(throws: OTLPSettings.Invalid.self) {
                try Self.read([Self.endpoint: "http://c", name: value]).get()
            }
        }
        for name in ["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_KEY"] {
            #expect(Self.with(name, "x") == nil)
        }
        for (insecure, isTLS) in [("true", false), ("TRUE", false), ("false", true)] {
            let settings = try #require(
                try Self.read([Self.endpoint: "c", "OTEL_EXPORTER_OTLP_INSECURE": insecure]).get())
            #expect((settings.traces?.tls != nil) == isTLS)
        }
    }

    @Test(
        "The sampler is that of OpenTelemetry's variables, or of the option",
        arguments: [
            ([:], nil, 0, true), (["OTEL_TRACES_SAMPLER": "always_on"], nil, 1, false),
            (["OTEL_TRACES_SAMPLER": "parentbased_always_on"], nil, 1, true),
            (
                ["OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"], nil, 0.5,
                false
            ),
            (
                ["OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"], "0.25",
                0.25, true
            ),
        ] as [([String: String], String?, Double, Bool)])
    func sampler(variables: [String: String], option: String?, ratio: Double, isParentBased: Bool) {
        let all = variables.merging([Self.endpoint: "http://c"]) { $1 }
        let settings = try? Self.read(all, option.map { [.ratio: $0] } ?? [:]).get()
        #expect(settings?.sampler == TraceSampler(ratio: ratio, isParentBased: isParentBased))
    }

    @Test("An invalid ratio is an error, which names the setting")
    func ratios() {
        for ratio in ["-1", "1.1", "nan", "inf", "x", "0x1", " 1"] {
            let variables = [
                Self.endpoint: "http://c", "OTEL_TRACES_SAMPLER": "traceidratio",
                "OTEL_TRACES_SAMPLER_ARG": ratio,
            ]
            guard case .failure(let error) = Self.read(variables) else {
                Issue.record("\(ratio) accepted")
                continue
            }
            #expect(error.description.contains("OTEL_TRACES_SAMPLER_ARG"))
        }
    }
}
