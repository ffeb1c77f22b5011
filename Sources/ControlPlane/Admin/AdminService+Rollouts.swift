internal import Messages
internal import Rollouts
internal import Serving
internal import TrafficPolicy

extension ControlPlane {
    nonisolated func addingFreezes(_ methods: AdminMethods) -> AdminMethods {
        methods
            // It concerns all endpoints.
            .change("SetFreeze", .admin) { (request: Weir_Admin_V1_SetFreezeRequest, options) in
                try await self.setFreeze(request, options: options)
            }
            .read("GetFreeze", .viewer) { (_: Weir_Admin_V1_GetFreezeRequest, view) in
                Weir_Admin_V1_GetFreezeResponse(
                    freeze: view.freeze.map { .init($0) }, revision: view.state.revision)
            }
    }

    nonisolated func addingRollouts(_ methods: AdminMethods) -> AdminMethods {
        addingRolloutReads(methods)
            .change("StartRollout", .operator) {
                (request: Weir_Admin_V1_StartRolloutRequest, options) in
                try await self.startRollout(
                    request.endpoint, request.plan ?? .init(), options: options)
            }
            .change("PauseRollout", .operator) {
                (request: Weir_Admin_V1_PauseRolloutRequest, options) in
                try await self.decideRollout(
                    request.endpoint, options: options, lowersRisk: true
                ) {
                    (machine, _) throws(RolloutMachine.Rejection) in
                    try machine.pause(by: options.author)
                }
            }
            .change("ResumeRollout", .operator) {
                (request: Weir_Admin_V1_ResumeRolloutRequest, options) in
                let resumption = try RolloutMachine.Resumption(request)
                return try await self.decideRollout(request.endpoint, options: options) {
                    (machine, endpoint) throws(RolloutMachine.Rejection) in
                    let candidate = machine.plan.candidate
                    let share = endpoint.weights.weights.first { $0.backend == candidate }
                    return try machine.resume(
                        resumption, by: options.author, weight: share?.weight ?? 0)
                }
            }
            .change("AdvanceRollout", .operator) {
                (request: Weir_Admin_V1_AdvanceRolloutRequest, options) in
                try await self.decideRollout(request.endpoint, options: options) {
                    (machine, _) throws(RolloutMachine.Rejection) in
                    try machine.advance(by: options.author)
                }
            }
            .change("PromoteRollout", .operator) {
                (request: Weir_Admin_V1_PromoteRolloutRequest, options) in
                try await self.decideRollout(request.endpoint, options: options) {
                    (machine, _) throws(RolloutMachine.Rejection) in
                    try machine.promote(by: options.author)
                }
            }
            .change("AbortRollout", .operator) {
                (request: Weir_Admin_V1_AbortRolloutRequest, options) in
                guard !request.immediate || !request.keepWeights else {
                    throw ControlError.invalid(
                        "keep_weights", "cannot be combined with immediate; set one")
                }
                return try await self.decideRollout(
                    request.endpoint, options: options, lowersRisk: true
                ) {
                    (machine, _) throws(RolloutMachine.Rejection) in
                    try machine.abort(
                        by: options.author, isImmediate: request.immediate,
                        keepsWeights: request.keepWeights)
                }
            }
    }

    private nonisolated func addingRolloutReads(_ methods: AdminMethods) -> AdminMethods {
        methods
            .unary("GetRollout", .viewer) { (request: Weir_Admin_V1_GetRolloutRequest, context) in
                self.markStale(context)
                return try await withRPCErrors { try await self.shownRollout(request.endpoint) }
            }
            .read("ListRollouts", .viewer) { (_: Weir_Admin_V1_ListRolloutsRequest, view) in
                view.allRollouts
            }
            .serverStreaming("WatchRollout", .viewer) {
                (
                    request: Weir_Admin_V1_WatchRolloutRequest,
                    replies: ReplyWriter<Weir_Admin_V1_Rollout>, _
                ) in
                try await withRPCErrors {
                    try await self.watchRollout(request.endpoint) { try await replies.send($0) }
                }
            }
    }
}

extension RolloutMachine.Resumption {
    fileprivate init(_ request: Weir_Admin_V1_ResumeRolloutRequest) throws(ControlError) {
        switch (request.adopt, request.restore) {
        case (false, false): self = .plain
        case (true, false): self = .adopt
        case (false, true): self = .restore
        case (true, true): throw .invalid("restore", "cannot be combined with adopt; set one")
        }
    }
}
