internal import ArgumentParser
internal import Messages
internal import Weir

// The commands that decide about a running rollout.

/// The argument and the options of a decision.
struct RolloutDecisionOptions: ParsableArguments {
    @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
    var endpoint: String

    @OptionGroup(title: "Change") var change: ChangeOptions
    @OptionGroup var options: AdminOptions

    /// A request with the fields that all decisions have.
    func request<Request: RolloutDecisionRequest>() -> Request {
        var request = Request()
        request.endpoint = endpoint
        request.expectedRevision = change.expectedRevision
        request.validateOnly = change.dryRun
        request.note = change.note
        return request
    }
}

/// A request of the admin service that makes a decision.
protocol RolloutDecisionRequest: Sendable {
    init()
    var endpoint: String { get set }
    var expectedRevision: UInt64? { get set }
    var validateOnly: Bool { get set }
    var note: Weir_Admin_V1_ChangeNote? { get set }
}

extension Weir_Admin_V1_PauseRolloutRequest: RolloutDecisionRequest {}
extension Weir_Admin_V1_ResumeRolloutRequest: RolloutDecisionRequest {}
extension Weir_Admin_V1_AdvanceRolloutRequest: RolloutDecisionRequest {}
extension Weir_Admin_V1_PromoteRolloutRequest: RolloutDecisionRequest {}
extension Weir_Admin_V1_AbortRolloutRequest: RolloutDecisionRequest {}

/// A command that makes a decision and shows the rollout.
protocol RolloutDecision: AsyncParsableCommand {
    associatedtype Request: RolloutDecisionRequest
    typealias Method =
        @Sendable (Weir_Admin_V1_AdminStub) ->
        @Sendable (
            Request, WeirClient.CallOptions
        ) async throws -> Weir_Admin_V1_Rollout

    static var method: Method { get }
    var decision: RolloutDecisionOptions { get }
    /// Sets the fields that only this decision has.
    func complete(_ request: inout Request)
}

extension RolloutDecision {
    func complete(_ request: inout Request) {}

    func run() async throws {
        let (change, options) = (decision.change, decision.options)
        var request: Request = decision.request()
        complete(&request)
        let sent = request
        let reply = try await options.call { try await Self.method($0)(sent, $1) }
        for warning in reply.warnings { printError("warning: \(warning)") }
        try options.show(reply) {
            RolloutText.page($0, screen: .current)
                + change.remark
        }
    }
}

extension RolloutCommand {
    struct Pause: RolloutDecision {
        static let configuration = CommandConfiguration(
            abstract: "Stops all automatic changes of a rollout. The weights stay.",
            discussion: """
                Example:
                  weir rollout pause greeter --comment 'checking a report'
                """)

        static let method = Weir_Admin_V1_AdminStub.pauseRollout

        @OptionGroup var decision: RolloutDecisionOptions
    }

    struct Resume: RolloutDecision {
        static let configuration = CommandConfiguration(
            abstract: "Continues a paused rollout.",
            discussion: """
                After another actor has changed the weights, --adopt continues from those weights, \
                and --restore sets the weights of the step again.

                Examples:
                  weir rollout resume greeter
                  weir rollout resume greeter --adopt
                """)

        static let method = Weir_Admin_V1_AdminStub.resumeRollout

        @OptionGroup var decision: RolloutDecisionOptions

        @Flag(help: "Continue from the weights that another actor has set.")
        var adopt = false

        @Flag(help: "Set the weights of the step again.")
        var restore = false

        func validate() throws {
            guard !adopt || !restore else {
                throw ValidationError("--adopt and --restore exclude each other")
            }
        }

        func complete(_ request: inout Weir_Admin_V1_ResumeRolloutRequest) {
            request.adopt = adopt
            request.restore = restore
        }
    }

    struct Advance: RolloutDecision {
        static let configuration = CommandConfiguration(
            abstract: "Approves a complete step, or skips one; ends the bake.",
            discussion: """
                Example:
                  weir rollout advance greeter
                """)

        static let method = Weir_Admin_V1_AdminStub.advanceRollout

        @OptionGroup var decision: RolloutDecisionOptions
    }

    struct Promote: RolloutDecision {
        static let configuration = CommandConfiguration(
            abstract: "Routes all requests to the candidate at once.",
            discussion: """
                Example:
                  weir rollout promote greeter --comment 'fixes the outage'
                """)

        static let method = Weir_Admin_V1_AdminStub.promoteRollout

        @OptionGroup var decision: RolloutDecisionOptions
    }

    struct Abort: RolloutDecision {
        static let configuration = CommandConfiguration(
            abstract: "Ends a rollout and returns to the weights before it.",
            discussion: """
                With --keep-weights, the present weights stay, for example if a part of the \
                requests shall remain at the candidate.

                Examples:
                  weir rollout abort greeter
                  weir rollout abort greeter --immediate
                  weir rollout abort greeter --keep-weights --comment 'stay at 10%'
                """)

        static let method = Weir_Admin_V1_AdminStub.abortRollout

        @OptionGroup var decision: RolloutDecisionOptions

        @Flag(help: "Skip the ramp of the plan.")
        var immediate = false

        @Flag(help: "Keep the present weights.")
        var keepWeights = false

        func validate() throws {
            guard !immediate || !keepWeights else {
                throw ValidationError("--immediate and --keep-weights exclude each other")
            }
        }

        func complete(_ request: inout Weir_Admin_V1_AbortRolloutRequest) {
            request.immediate = immediate
            request.keepWeights = keepWeights
        }
    }
}
