# frozen_string_literal: true

module Weir
  # The calls of rollouts, which Client includes. They return the Rollout after the change.
  module Rollouts
    # Starts to move the traffic of an endpoint to a backend step by step. `plan` is a
    # Weir::Admin::V1::RolloutPlan or its fields: `{ candidate: 'v2', steps: ['10%'] }`. Returns a
    # StartRolloutResponse.
    def start_rollout(endpoint, plan, **terms)
      plan = Admin::V1::RolloutPlan.new(**plan) if plan.is_a?(Hash)
      change(:start_rollout, Admin::V1::StartRolloutRequest.new(endpoint: endpoint, plan: plan), terms)
    end

    # Returns the latest rollout of an endpoint.
    def get_rollout(endpoint)
      ask(:get_rollout, Admin::V1::GetRolloutRequest.new(endpoint: endpoint))
    end

    # Returns the latest rollout of each endpoint.
    def list_rollouts
      ask(:list_rollouts, Admin::V1::ListRolloutsRequest.new).rollouts.to_a
    end

    # Yields a rollout when it changes, until it ends. Returns an Enumerator without a block.
    def watch_rollout(endpoint, &block)
      return enum_for(:watch_rollout, endpoint) unless block

      request = Admin::V1::WatchRolloutRequest.new(endpoint: endpoint)
      never = GRPC::Core::TimeConsts::INFINITE_FUTURE
      operation = Weir.translating { @admin.watch_rollout(request, deadline: never, return_op: true) }
      begin
        Weir.translating { operation.execute.each(&block) }
      ensure
        operation.cancel
      end
    end

    # Stops all automatic changes of a rollout; its weights stay.
    def pause_rollout(endpoint, **terms)
      change(:pause_rollout, Admin::V1::PauseRolloutRequest.new(endpoint: endpoint), terms)
    end

    # Continues a paused rollout. After another actor's change of the weights, `adopt` continues from
    # the present weights, and `restore` sets those of the step again.
    def resume_rollout(endpoint, adopt: false, restore: false, **terms)
      request = Admin::V1::ResumeRolloutRequest.new(endpoint: endpoint, adopt: adopt, restore: restore)
      change(:resume_rollout, request, terms)
    end

    # Approves a complete step, or skips one that is not. Ends the bake.
    def advance_rollout(endpoint, **terms)
      change(:advance_rollout, Admin::V1::AdvanceRolloutRequest.new(endpoint: endpoint), terms)
    end

    # Routes all requests to the candidate at once.
    def promote_rollout(endpoint, **terms)
      change(:promote_rollout, Admin::V1::PromoteRolloutRequest.new(endpoint: endpoint), terms)
    end

    # Ends a rollout and returns to the weights before it. `immediate` skips the ramp of the plan, and
    # `keep_weights` keeps the present weights.
    def abort_rollout(endpoint, immediate: false, keep_weights: false, **terms)
      request = Admin::V1::AbortRolloutRequest.new(
        endpoint: endpoint, immediate: immediate, keep_weights: keep_weights)
      change(:abort_rollout, request, terms)
    end
  end
end
