internal import GRPCWire
internal import Testing
internal import Traces
internal import Transport

@testable internal import OTLP

@Suite struct OTLPSettingsTests {
    private static let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"

    /// The settings, or the error.
    private static func read(
        _ variables: [String: String],
        _ options: [OTLPOptions.Field: String] = [:]
    ) -> Result<OTLPSettings?, OTLPSettings.Invalid> {
        Result { () throws(OTLPSettings.Invalid) in
            try OTLPSettings(
                environment: variables, options: OTLPOptions(options) { "--\($0)" })
        }
    }

    private static func with(_ name: String, _ value: String) -> OTLPSettings? {
        try? read(
            [endpoint: "https://c:1", "OTEL_LOGS_EXPORTER": "otlp"].merging([name: value]) { $1 }
        ).get()
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
            ([Self.endpoint: text], [:]), ([:], [OTLPOptions.Field.endpoint: text]),
            ([Self.endpoint: "http://other:1"], [.endpoint: text]),
        ] {
            let both = variables.merging(["OTEL_LOGS_EXPORTER": "otlp"]) { $1 }
            let settings = try #require(try Self.read(both, options).get())
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

    @Test(
        "An option without an endpoint is an error, which names it and what it needs",
        arguments: OTLPOptions.Field.allCases.filter { $0 != .endpoint })
    func withoutEndpoint(field: OTLPOptions.Field) {
        for variables in [[:], ["OTEL_SDK_DISABLED": "false"], ["OTEL_TRACES_EXPORTER": "otlp"]] {
            #expect(
                Self.read(variables, [field: "1"]).error?.description
                    == "--\(field) requires --endpoint or OTEL_EXPORTER_OTLP_ENDPOINT")
        }
        // The variable disables what the options say.
        #expect(Self.read(["OTEL_SDK_DISABLED": "true"], [field: "1"]).error == nil)
    }

    @Test(
        "An option that a variable deprives of its effect is an error",
        arguments: [
            (["OTEL_TRACES_EXPORTER": "none"], [.endpoint: "http://c"], "--endpoint has no effect"),
            (
                ["OTEL_TRACES_EXPORTER": "none", endpoint: "http://c"], [.headers: "a=b"],
                "--headers has no effect"
            ),
            (
                [
                    "OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "otlp",
                    endpoint: "http://c",
                ],
                [.ratio: "1"], "--ratio has no effect"
            ),
            (
                ["OTEL_TRACES_EXPORTER": "none", endpoint: "http://c"],
                [.lateCalls: "1", .logsExporter: "otlp"], "--lateCalls has no effect"
            ),
            (
                ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"], [.logsExporter: "otlp"],
                "--logsExporter requires --endpoint"
            ),
            (
                ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://c"], [.ratio: "1"],
                "--ratio has no effect"
            ),
        ] as [([String: String], [OTLPOptions.Field: String], String)])
    func withoutEffect(
        variables: [String: String], options: [OTLPOptions.Field: String], start: String
    ) {
        #expect(Self.read(variables, options).error?.description.hasPrefix(start) == true)
    }

    @Test(
        "A server that exports nothing reports each invalid variable once",
        arguments: [
            ("OTEL_SDK_DISABLED", "x"), ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_LOGS_EXPORTER", "x"), ("OTEL_EXPORTER_OTLP_INSECURE", "yes"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_EXPORTER_OTLP_HEADERS", "a"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "br"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1.5"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "1e300"), ("OTEL_TRACES_SAMPLER", "zzz\u{1b}"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name="), ("OTEL_SERVICE_NAME", "a\n"),
        ])
    func problems(name: String, value: String) throws {
        let problems = OTLPSettings.problems(in: [name: value])
        #expect(problems.count == 1)
        #expect(problems.first?.contains(name) == true)
        #expect(try Self.read([name: value]).get() == nil)
        let disabled = ["OTEL_SDK_DISABLED": "true"].merging([name: value]) { own, _ in own }
        #expect(OTLPSettings.problems(in: disabled).isEmpty)
        #expect(OTLPSettings.problems(in: [name: ""]).isEmpty)
        let two = OTLPSettings.problems(in: [name: value, "OTEL_BLRP_MAX_QUEUE_SIZE": "x"])
        #expect(two.count == 2)
    }

    @Test("Valid variables, and those of others, are not reported")
    func withoutProblems() {
        let valid = [
            "OTEL_TRACES_EXPORTER": "none", Self.endpoint: "http://c", "OTEL_X": "x",
            "OTEL_TRACES_SAMPLER": "always_on", "OTEL_SDK_DISABLED": "false",
            "OTEL_METRICS_EXPORTER": "x",
        ]
        #expect(OTLPSettings.problems(in: valid).isEmpty)
        let invalid = valid.merging([Self.endpoint: "ftp://user:secret@c"]) { $1 }
        #expect(OTLPSettings.problems(in: invalid).count == 1)
        #expect(!OTLPSettings.problems(in: invalid).joined().contains("secret"))
    }

    @Test("A variable of one kind of records precedes that of all kinds, and an option both")
    func precedence() throws {
        var variables = [
            Self.endpoint: "http://all:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://spans:2",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "5", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "7",
            "OTEL_LOGS_EXPORTER": "otlp",
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

    @Test("Calls are exported if the option or else the variable says so")
    func calls() throws {
        for (value, option, expected) in [
            (nil, nil, false), (nil, "otlp", true), ("otlp", nil, true), ("none", nil, false),
            ("none", "otlp", true), ("x", "otlp", true),
        ] as [(String?, String?, Bool)] {
            var variables = [Self.endpoint: "http://c"]
            variables["OTEL_LOGS_EXPORTER"] = value
            let settings = try Self.read(variables, option.map { [.logsExporter: $0] } ?? [:]).get()
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

extension Result {
    fileprivate var error: Failure? { if case .failure(let error) = self { error } else { nil } }
}
