// swift-tools-version: 6.3
import PackageDescription

/// Every Swift target is built with these; warnings are errors.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// The commit that is built, as `make` sets it; empty if unknown.
let commit = (Context.environment["WEIR_COMMIT"] ?? "").filter {
    $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-")
}

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let containers = Target.Dependency.product(
    name: "BasicContainers", package: "swift-collections")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let serviceLifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
let instrumentation = Target.Dependency.product(
    name: "Instrumentation", package: "swift-distributed-tracing")
let distributedTracing = Target.Dependency.product(
    name: "Tracing", package: "swift-distributed-tracing")
let swiftProtobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")

/// A Debian system library that is only a module map and a shim header here.
func system(_ name: String, pkgConfig: String, apt package: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let package = Package(
    name: "weir",
    products: [
        .library(name: "Weir", targets: ["Weir"]),
        .library(name: "WeirSwiftProtobuf", targets: ["WeirSwiftProtobuf"]),
        .library(name: "WeirServiceLifecycle", targets: ["WeirServiceLifecycle"]),
        .library(name: "WeirTracing", targets: ["WeirTracing"]),
        .executable(name: "weir", targets: ["WeirCLI"]),
        .executable(name: "weir-generate", targets: ["WeirGenerate"]),
        // For packages with messages of their own: what generated C code is compiled against.
        .library(name: "CProtobufC", targets: ["CProtobufC"]),
        .library(name: "CWeirProtos", targets: ["CWeirProtos"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
    ],
    targets: [
        // System libraries.
        // glibc's backtrace(3), for CrashTrace.
        .systemLibrary(name: "CExecInfo"),
        // Which commit was built.
        .target(
            name: "CBuildInfo",
            cSettings: [.define("WEIR_COMMIT", to: "\"\(commit)\"")]),
        // The files of the console, as bytes.
        .target(name: "CConsole"),
        system("CNGHTTP2", pkgConfig: "libnghttp2", apt: "libnghttp2-dev"),
        system("CProtobufC", pkgConfig: "libprotobuf-c", apt: "libprotobuf-c-dev"),
        system("CLibCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
        system("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        system("CXXHash", pkgConfig: "libxxhash", apt: "libxxhash-dev"),
        system("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),

        // Pure modules: no sockets, no NIO.
        .target(name: "CWeirProtos", dependencies: ["CProtobufC"]),
        module("HTTP2Session", ["CNGHTTP2", containers]),
        module("GRPCWire", ["CZlib"]),
        module("Messages", ["CProtobufC", "CWeirProtos"]),
        module("MessageYAML", ["Messages", yams]),
        module("Transcoding", ["Messages", "GRPCWire"]),
        module("Traces", ["GRPCWire"]),
        .target(
            name: "TrafficPolicy", dependencies: ["CXXHash"], swiftSettings: settings,
            linkerSettings: [.linkedLibrary("m")]),

        .target(
            name: "Evidence", swiftSettings: settings, linkerSettings: [.linkedLibrary("m")]),
        module("Rollouts", ["Evidence", "TrafficPolicy"]),
        module(
            "Observability",
            ["Evidence", "Rollouts", "GRPCWire", "Messages", "Traces", "TrafficPolicy"]),

        // Sockets, and what is built on them.
        module(
            "Transport",
            [
                "HTTP2Session", "GRPCWire", "Traces", nioCore, nioPosix, nioSSL, deque,
                systemPackage, logging, instrumentation,
            ]),
        module(
            "GRPCClient",
            [
                "Transport", "HTTP2Session", "GRPCWire", "Messages", nioCore, nioPosix,
                instrumentation,
            ]),

        module(
            "OTLP",
            [
                "GRPCClient", "Transport", "Observability", "Traces", "Messages", "GRPCWire",
                logging,
            ]),

        .target(
            name: "Console",
            dependencies: ["CConsole", "GRPCWire", "Messages", "TrafficPolicy", "Transport"],
            exclude: ["Files"], swiftSettings: settings),
        module(
            "Webhooks",
            ["Transport", "GRPCWire", "CLibCrypto", nioCore, nioHTTP1, nioPosix, nioSSL]),

        module(
            "Logs",
            [
                "Observability", "Transport", "Messages", "GRPCWire", "Traces", systemPackage,
                logging,
            ]),

        // The data plane, the control plane, and what users import.
        module(
            "Upstream",
            [
                "Transport", "Observability", "HTTP2Session", "GRPCWire", "Messages",
                "TrafficPolicy", nioCore, nioPosix, deque, subprocess, systemPackage, logging,
            ]),
        module(
            "Serving",
            [
                "Upstream", "Observability", "Transcoding", "Traces", "Transport", "HTTP2Session",
                "GRPCWire", "Messages", "TrafficPolicy", nioCore, nioPosix, deque, logging,
                instrumentation,
            ]),
        module(
            "StateStores",
            [
                "GRPCClient", "Transport", "Messages", "GRPCWire", "TrafficPolicy", "CSQLite",
                systemPackage,
            ]),
        module(
            "ControlPlane",
            [
                "Serving", "Upstream", "StateStores", "Webhooks", "Transport", "Observability",
                "Rollouts", "Evidence", "Traces", "Transcoding", "Messages", "GRPCWire",
                "TrafficPolicy",
                "CLibCrypto", systemPackage, logging,
            ]),
        module(
            "Weir",
            [
                "Console", "ControlPlane", "Logs", "StateStores", "Serving", "Upstream",
                "GRPCClient", "OTLP", "Observability", "Webhooks", "Transport", "Traces",
                "Messages", "GRPCWire", "TrafficPolicy", "CBuildInfo", nioCore, systemPackage,
                logging,
            ]),
        module("WeirSwiftProtobuf", ["Weir", swiftProtobuf]),
        module("WeirServiceLifecycle", ["Weir", serviceLifecycle]),
        module("WeirTracing", ["Weir", "Traces", "Transport", distributedTracing]),

        // The demo service, generated as a user would: see `make protos`.
        .target(name: "CHelloWorldProtos", dependencies: ["CProtobufC"]),
        module("HelloWorld", ["Weir", "CHelloWorldProtos", "CProtobufC"]),

        // Executables.
        .executableTarget(
            name: "WeirCLI",
            dependencies: [
                "Weir", "ControlPlane", "StateStores", "Serving", "Upstream", "OTLP", "Logs",
                "Transport",
                "HelloWorld", "Messages", "MessageYAML", "GRPCWire", "Rollouts", "CExecInfo",
                systemPackage, arguments, logging,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "WeirGenerate", dependencies: ["Messages", arguments], swiftSettings: settings),

        .executableTarget(
            name: "PolicyBenchmark", dependencies: ["TrafficPolicy"],
            path: "Benchmarks/PolicyBenchmark", swiftSettings: settings),

        // Tests.
        .executableTarget(
            name: "FixtureServer", dependencies: ["Weir", "HelloWorld", "Messages", "Traces"],
            path: "Tests/FixtureServer", swiftSettings: settings),
        // Answers the test runner of protobuf's conformance tests.
        .executableTarget(
            name: "ConformanceTestee", dependencies: ["Messages", "Transport", systemPackage],
            path: "Tests/ConformanceTestee", swiftSettings: settings),
        // Which system calls fail, and a program that has those of its store fail.
        .target(name: "CSystemFaults", path: "Tests/CSystemFaults"),
        .executableTarget(
            name: "StoreFaults",
            dependencies: [
                "ControlPlane", "StateStores", "TestSupport", "Messages", "CSystemFaults",
            ],
            path: "Tests/StoreFaults", swiftSettings: settings),
        tests("HTTP2SessionTests", ["HTTP2Session"]),
        tests("GRPCWireTests", ["GRPCWire"]),
        tests("TracesTests", ["Traces"]),
        tests("TrafficPolicyTests", ["TrafficPolicy"]),
        tests(
            "EvidenceTests", ["Evidence", "Rollouts", "Observability", "GRPCWire", "TestSupport"]),
        tests("RolloutsTests", ["Rollouts", "Evidence", "TrafficPolicy"]),
        .target(
            name: "CEverything", dependencies: ["CProtobufC", "CWeirProtos"],
            path: "Tests/CEverything"),
        tests("MessagesTests", ["Messages", "MessageYAML", "CEverything", "CProtobufC"]),
        tests("TranscodingTests", ["Transcoding", "Messages", "GRPCWire"]),
        tests(
            "TransportTests",
            [
                "Transport", "TestSupport", "GRPCWire", "HTTP2Session", "TrafficPolicy", nioCore,
                nioPosix,
            ]),
        tests(
            "UpstreamTests",
            [
                "Upstream", "Weir", "Transport", "TestSupport", "HTTP2Session", "GRPCWire",
                "Messages", nioCore, nioEmbedded, nioPosix, logging,
            ]),
        tests(
            "OTLPTests",
            ["OTLP", "Observability", "Traces", "Messages", "GRPCWire", "Transport", logging]),
        tests("GRPCClientTests", ["GRPCClient", "GRPCWire"]),
        tests(
            "LogsTests",
            ["Logs", "Transport", "Observability", "Messages", "Traces", "GRPCWire", logging]),
        tests("ConsoleTests", ["Console", "Transport"]),
        tests("WebhooksTests", ["Webhooks", "Transport", nioCore, nioPosix]),
        tests(
            "ObservabilityTests",
            ["Observability", "Evidence", "Rollouts", "Traces", "GRPCWire", "Messages"]),
        tests(
            "ServingTests",
            [
                "Serving", "Upstream", "Traces", "Transport", "Observability", "Rollouts",
                "TestSupport", "TrafficPolicy", "GRPCWire", "HTTP2Session", "Messages", nioCore,
                nioEmbedded,
                nioPosix, logging,
            ]),
        tests("StateStoresTests", ["StateStores", "TestSupport", "Messages"]),
        tests(
            "ControlPlaneTests",
            [
                "ControlPlane", "StateStores", "Serving", "Upstream", "Transport", "Observability",
                "Rollouts", "Evidence", "Traces", "TestSupport", "GRPCWire", "Messages",
                "TrafficPolicy", logging,
            ]),
        // What several test targets share.
        .target(
            name: "TestSupport",
            dependencies: [
                "StateStores", "Upstream", "Transport", "HTTP2Session", nioCore, nioEmbedded,
                logging,
            ],
            path: "Tests/TestSupport",
            swiftSettings: settings),
        // What is fuzzed. The fuzzer itself is built by `make fuzz` only.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "ControlPlane", "Logs", "OTLP", "StateStores", "Serving", "Transport",
                "HTTP2Session", "GRPCWire", "Messages", "MessageYAML", "Observability",
                "Rollouts", "Traces", "Transcoding", "TrafficPolicy",
            ], path: "Tests/FuzzTargets", swiftSettings: settings),
        tests("FuzzTests", ["FuzzTargets"]),
        // The house rules: texts, bounds, and lists of exceptional constructs.
        tests("TidyTests", [], exclude: ["Lists.txt"]),
        tests(
            "WeirCLITests", ["WeirCLI", "GRPCWire", "MessageYAML", "Messages", "Weir", arguments]),
        tests(
            "WeirServiceLifecycleTests",
            ["WeirServiceLifecycle", "Weir", "HelloWorld", serviceLifecycle, logging]),
        tests(
            "WeirTests",
            [
                "Weir", "HelloWorld", "Messages", "Traces", "WeirSwiftProtobuf", "WeirTracing",
                "TestSupport",
                swiftProtobuf, distributedTracing, logging,
            ]),
    ]
)

// With libFuzzer, which a build of everything would trip over.
if Context.environment["WEIR_BUILDS_FUZZER"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz",
            exclude: ["Corpus", "seeds.py"],
            swiftSettings: settings + [.unsafeFlags(["-sanitize=fuzzer,address"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]))
}

// Only `make docs` needs it.
if Context.environment["WEIR_BUILDS_DOCS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}
