internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// `weir shadow`
struct ShadowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shadow",
        abstract: "Manages shadows, which receive copies of an endpoint's requests.",
        discussion: """
            Examples:
              weir shadow set greeter greeter-v3=10%
              weir shadow report greeter
            """,
        subcommands: [List.self, Set.self, Compare.self, Report.self, Reset.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows an endpoint's shadows.",
            discussion: """
                Example:
                  weir shadow list greeter
                """,
            aliases: ["ls"])

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try options.show(try await ShadowCommand.endpoint(endpoint, options)) {
                ShadowText.list($0, screen: .current)
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds, changes or, with proportion 0, removes a shadow.",
            discussion: """
                Omitted options keep their values.

                Examples:
                  weir shadow set greeter greeter-v2=25%
                  weir shadow set greeter greeter-v2=0
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @Argument(
            help: ArgumentHelp(
                "A backend and the share of requests to copy: 0.25, 25% or 1/4.",
                valueName: "backend=proportion"),
            completion: Completion.assignments, transform: Assignment.parse)
        var shadow: Assignment

        @Option(
            help: "The limit of concurrent copies. Weir drops further copies.",
            transform: Bounded.whole(0...UInt32.max))
        var maxInFlight: UInt32?

        @Option(
            help: "The limit of buffered bytes of all copies together.",
            transform: Bounded.whole(0...UInt64.max))
        var maxBytes: UInt64?

        @Option(
            help: "The limit of buffered bytes of one copy.",
            transform: Bounded.whole(0...UInt64.max))
        var maxBytesPerCopy: UInt64?

        @Option(
            help: "The timeout of a copy in seconds, 0.001 to 604800.",
            transform: Bounded.decimal(0.001...604_800))
        var timeout: Double?

        @Flag(
            inversion: .prefixedNo,
            help: "Also copy requests that the backend itself answers, if it has a weight too.")
        var includeOwn: Bool?

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            var request = Weir_Admin_V1_ShadowTrafficRequest(
                endpoint: endpoint, backend: shadow.backend, proportion: shadow.value,
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                note: change.note)
            if givesOptions { request.options = applied(to: try await currentOptions()) }
            let reply = try await options.call { try await $0.shadowTraffic(request, $1) }
            try options.show(reply) {
                ShadowText.list($0, screen: .current)
                    + change.remark
            }
        }

        private var givesOptions: Bool {
            maxInFlight != nil || maxBytes != nil || maxBytesPerCopy != nil || timeout != nil
                || includeOwn != nil
        }

        private func currentOptions() async throws -> Weir_Admin_V1_ShadowOptions {
            let current = try await ShadowCommand.endpoint(endpoint, options)
            return current.shadows.first { $0.backend == shadow.backend }?.options ?? .init()
        }

        private func applied(
            to current: Weir_Admin_V1_ShadowOptions
        ) -> Weir_Admin_V1_ShadowOptions {
            var options = current
            if let maxInFlight { options.maxRequestsInFlight = maxInFlight }
            if let maxBytes { options.maxBufferedBytes = maxBytes }
            if let maxBytesPerCopy { options.maxBufferedBytesPerCopy = maxBytesPerCopy }
            if let timeout { options.timeout = .init(seconds: timeout) }
            if let includeOwn { options.includeOwn = includeOwn }
            return options
        }
    }

    struct Compare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces the rules for comparing shadow responses with primary responses.",
            discussion: """
                Name a field by its path in the response message, for example items.price. A rule \
                also applies to everything inside the field. ':status', ':message', ':count' (of \
                messages) and ':bytes' name parts that are not fields. Omitted options return to \
                their defaults.

                Examples:
                  weir shadow compare greeter --ignore request_id --tolerance score=1%
                  weir shadow compare greeter --noise 0.1 --allowed 0.01
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @Option(help: ArgumentHelp("A field to ignore; may be repeated.", valueName: "field"))
        var ignore: [String] = []

        @Option(
            help: ArgumentHelp(
                "The tolerance of a number: an amount, or a share as in 'score=1%'.",
                valueName: "field=amount"),
            transform: Weir_Admin_V1_FieldTolerance.parse)
        var tolerance: [Weir_Admin_V1_FieldTolerance] = []

        @Option(
            help: ArgumentHelp(
                "A field whose values Weir does not keep; may be repeated.", valueName: "field"))
        var redact: [String] = []

        @Option(
            help: ArgumentHelp(
                "Metadata whose values Weir does not keep; may be repeated.", valueName: "name"))
        var redactMetadata: [String] = []

        @Option(
            help: """
                The share of copied requests, 0 to 1, that Weir also sends to the primary a second \
                time, to measure which fields differ without a cause (noise); default: 0.
                """, transform: Bounded.decimal(0...1))
        var noise = 0.0

        @Option(
            help: "The share of responses, 0 to 1, that may differ before the report is bad.",
            transform: Bounded.decimal(0...1))
        var allowed: Double?

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_SetShadowComparisonRequest(
                endpoint: endpoint,
                comparison: .init(
                    ignoredFields: ignore, tolerances: tolerance,
                    redactedFields: redact, redactedMetadata: redactMetadata,
                    noiseProportion: noise, allowedShare: allowed),
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                note: change.note)
            let reply = try await options.call { try await $0.setShadowComparison(request, $1) }
            try options.show(reply) {
                ShadowText.list($0, screen: .current)
                    + change.remark
            }
        }
    }

    struct Report: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Shows the state of shadows, and how their responses differ from the primary's.",
            discussion: """
                Exit code 2: a report is bad.

                Examples:
                  weir shadow report greeter --samples
                  weir shadow report greeter greeter-v2 --watch
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @Argument(help: "Only this shadow.", completion: Completion.backends)
        var backend = ""

        @Flag(help: "Show samples of responses that differ.")
        var samples = false

        @OptionGroup(title: "Repetition") var watching: WatchOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_GetShadowReportRequest(endpoint: endpoint, backend: backend)
            if watching.watch { Output.exitWhenUnread() }
            var shown: Int32 = 0
            while true {
                let reply = try await options.call { try await $0.getShadowReport(request, $1) }
                try show(reply)
                shown += 1
                guard watching.watch, shown != watching.count else {
                    if reply.reports.contains(where: { ShadowText.isBad($0.verdict) }) {
                        throw ExitCode.no
                    }
                    return
                }
                try await Task.sleep(for: .seconds(watching.interval))
            }
        }

        private func show(_ reply: Weir_Admin_V1_GetShadowReportResponse) throws {
            if options.json {
                try Output.print(
                    json: AdminOptions.json(reply, indent: watching.watch ? 0 : 2))
            } else {
                let pairs = samples ? ShadowText.samples(reply, screen: .current) : ""
                let page =
                    ShadowText.page(reply, screen: .current) + (pairs.isEmpty ? "" : "\n\n" + pairs)
                try watching.watch
                    ? Style.draw(page, again: "every \(watching.interval) s") : Output.print(page)
            }
        }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Restarts shadow reports.",
            discussion: """
                Example:
                  weir shadow reset greeter
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @Argument(help: "Only this shadow.", completion: Completion.backends)
        var backend = ""

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_ResetShadowReportRequest(
                endpoint: endpoint, backend: backend)
            let reply = try await options.call { try await $0.resetShadowReport(request, $1) }
            try options.show(reply) { _ in "report restarted" }
        }
    }

    private static func endpoint(
        _ name: String, _ options: AdminOptions
    ) async throws -> Weir_Admin_V1_Endpoint {
        try await options.call { try await $0.getEndpoint(.init(name: name), $1) }
    }
}
