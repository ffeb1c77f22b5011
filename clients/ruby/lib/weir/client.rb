# frozen_string_literal: true

module Weir
  # A client of a running Weir: changes and reads its routing, and calls its endpoints. Calls raise
  # a Weir::Error when they fail.
  #
  # Changes take `expected_revision:` (RevisionConflict if it is not the current revision),
  # `validate_only:` (returns the effect without making the change) and `comment:` (the reason, for
  # the history). They return the messages of protos/weir/admin/v1/admin.proto.
  class Client
    include Rollouts

    # The data address of the server.
    attr_reader :data_address
    # The stub of the whole admin service, for RPCs without a method here.
    attr_reader :admin

    # `author` is the author of changes in the history. `data_address` is the data address, if it
    # differs from the one that the server reports. `timeout` is the timeout of admin calls in
    # seconds.
    #
    # `credentials`, a GRPC::Core::ChannelCredentials, and `token` are for the admin port,
    # `data_credentials` for the data port; without them, connections are plaintext.
    def initialize(address, author: nil, data_address: nil, timeout: 10, credentials: :this_channel_is_insecure,
                   token: nil, data_credentials: :this_channel_is_insecure)
      Values.check_address(address)
      interceptors = token ? [Token.new(token, address, credentials)] : []
      @address = address
      @author = author || "#{Etc.getpwuid(Process.euid)&.name || 'unknown'}@#{Socket.gethostname}"
      @channels = []
      @admin = Admin::V1::Admin::Stub.new(
        address, credentials, timeout: timeout, interceptors: interceptors,
                              channel_override: open(address, credentials))
      @data_address = data_address || learn_data_address(address)
      @serve = V1::Serve::Stub.new(
        @data_address, data_credentials, channel_override: open(@data_address, data_credentials))
    end

    # Closes both connections. Later calls raise FailedPrecondition.
    def close
      @channels.each(&:close)
      nil
    end

    # Adds an upstream backend: gRPC servers that Weir does not start. `backend` has its other fields,
    # for example `{ options: { max_requests_in_flight: 8 } }`.
    def create_backend(name, addresses, backend: {}, **terms)
      raise ArgumentError, "invalid addresses #{addresses.inspect}: use an Array" unless addresses.is_a?(Array)

      upstream = { addresses: addresses, **backend.fetch(:upstream, {}) }
      backend = Admin::V1::Backend.new(**backend, name: name, upstream: upstream)
      change(:create_backend, Admin::V1::CreateBackendRequest.new(backend: backend), terms)
    end

    # Deletes a backend. Raises FailedPrecondition while a traffic policy or shadow uses it.
    def delete_backend(name, **terms)
      change(:delete_backend, Admin::V1::DeleteBackendRequest.new(name: name), terms)
    end

    # Returns all backends, sorted by name.
    def list_backends
      ask(:list_backends, Admin::V1::ListBackendsRequest.new).backends.to_a
    end

    # Adds an endpoint that routes all requests to one backend. Without a route, clients call it
    # only by name. `methods` are the methods of plain HTTP that it accepts, `cors` is for scripts of
    # web pages, and `http_shard_key` is the place of the shard key in requests of plain HTTP.
    def create_endpoint(name, backend:, route: '', methods: [], cors: nil, http_shard_key: nil, **terms)
      request = Admin::V1::CreateEndpointRequest.new(
        name: name, route: route, backend: backend, methods: methods, cors: cors, http_shard_key: http_shard_key)
      change(:create_endpoint, request, terms)
    end

    # Deletes an endpoint, but not its backends.
    def delete_endpoint(name, **terms)
      change(:delete_endpoint, Admin::V1::DeleteEndpointRequest.new(name: name), terms)
    end

    # Returns one endpoint, with the intervals for AffinityMap.
    def get_endpoint(name)
      ask(:get_endpoint, Admin::V1::GetEndpointRequest.new(name: name))
    end

    # Returns all endpoints, sorted by name.
    def list_endpoints
      ask(:list_endpoints, Admin::V1::ListEndpointsRequest.new).endpoints.to_a
    end

    # Replaces the weights of an endpoint atomically: `set_traffic('model', { 'v1' => 0.9, 'v2' =>
    # 0.1 })`. The previous ones return after the seconds of `revert_after`, or unless ConfirmTraffic is
    # called within those of `confirm_within`. `override_rollout` and `override_freeze` change weights
    # that a rollout owns, or that are frozen.
    def set_traffic(endpoint, traffic, revert_after: nil, confirm_within: nil, override_rollout: false,
                    override_freeze: false, **terms)
      Values.check_traffic(traffic)
      weights = traffic.map { |backend, weight| Admin::V1::BackendWeight.new(backend: backend, weight: weight) }
      request = Admin::V1::SetTrafficRequest.new(
        endpoint: endpoint, weights: weights, revert_after: duration(revert_after),
        confirm_within: duration(confirm_within), override_rollout: override_rollout, override_freeze: override_freeze)
      change(:set_traffic, request, terms)
    end

    # Returns the weights of an endpoint by backend.
    def get_traffic(endpoint)
      get_endpoint(endpoint).weights.to_h { |weight| [weight.backend, weight.weight] }
    end

    # Copies a share of an endpoint's requests to a backend; 0 removes the shadow. `options` are those
    # of the shadow, `{ include_own: true }`; without them, those of a present shadow stay.
    def shadow_traffic(endpoint, backend, proportion, options: nil, **terms)
      request = Admin::V1::ShadowTrafficRequest.new(
        endpoint: endpoint, backend: backend, proportion: proportion, options: options)
      change(:shadow_traffic, request, terms)
    end

    # Returns the reports of an endpoint's shadows.
    def shadow_report(endpoint)
      ask(:get_shadow_report, Admin::V1::GetShadowReportRequest.new(endpoint: endpoint)).reports.to_a
    end

    # Resets the reports of an endpoint's shadows, or of one of them.
    def reset_shadow_report(endpoint, backend = '')
      ask(:reset_shadow_report, Admin::V1::ResetShadowReportRequest.new(endpoint: endpoint, backend: backend))
    end

    # Replaces the rules that compare the responses of an endpoint's shadows. `comparison` is a
    # Weir::Admin::V1::ShadowComparison or its fields: `{ ignored_fields: ['time'] }`.
    def set_shadow_comparison(endpoint, comparison, **terms)
      comparison = Admin::V1::ShadowComparison.new(**comparison) if comparison.is_a?(Hash)
      request = Admin::V1::SetShadowComparisonRequest.new(endpoint: endpoint, comparison: comparison)
      change(:set_shadow_comparison, request, terms)
    end

    # Limits the requests per second of an endpoint; nil removes the limit. `burst` is the number of
    # requests at once, by default those of one second.
    def set_rate_limit(endpoint, requests_per_second, burst: 0, **terms)
      limit = Admin::V1::RateLimit.new(requests_per_second: requests_per_second, burst: burst) if requests_per_second
      change(:set_rate_limit, Admin::V1::SetRateLimitRequest.new(endpoint: endpoint, rate_limit: limit), terms)
    end

    # Returns the backend of a call by name, and the reason. AffinityMap computes the same locally.
    def explain(endpoint, shard_key = '')
      ask(:explain_route, Admin::V1::ExplainRouteRequest.new(endpoint: endpoint, shard_key: shard_key.b))
    end

    # Returns counts and latencies since the server started, of one endpoint or all.
    def stats(endpoint = '')
      ask(:get_stats, Admin::V1::GetStatsRequest.new(endpoint: endpoint))
    end

    # Returns the whole state, or that of a revision, as a configuration for `apply`.
    def export(revision = 0)
      ask(:get_revision, Admin::V1::GetRevisionRequest.new(revision: revision)).configuration
    end

    # Replaces the whole state with a configuration, in one change: a Weir::Admin::V1::Configuration,
    # or a Hash with the names of the files of `weir apply`. Raises FailedPrecondition if it does not
    # contain all backends and endpoints; with `prune`, deletes the others. Raises RevisionConflict if
    # another change is made at the same time.
    def apply(configuration, prune: false, **terms)
      configuration = Admin::V1::Configuration.decode_json(JSON.generate(configuration)) if configuration.is_a?(Hash)
      request = Admin::V1::ApplyRequest.new(configuration: configuration)
      return change(:apply, request, terms) if prune || terms[:validate_only]

      plan = change(:apply, request, { **terms, validate_only: true })
      reject_removals(plan)
      return plan if plan.changes.empty?

      # The revision of a plan is the one that it would create.
      change(:apply, request, { expected_revision: [plan.revision, 1].max - 1, **terms })
    end

    # Returns the accepted changes, latest first: those before a revision, of an endpoint, or with
    # decisions of the rollouts of an endpoint.
    def history(limit = 100, before_revision: 0, endpoint: '', rollouts_of: '')
      request = Admin::V1::ListRevisionsRequest.new(
        limit: limit, before_revision: before_revision, endpoint: endpoint, rollouts_of: rollouts_of)
      ask(:list_revisions, request).revisions.to_a
    end

    # Restores the endpoints, or one of them, to a revision.
    def rollback(revision, endpoint: '', **terms)
      change(:rollback, Admin::V1::RollbackRequest.new(revision: revision, endpoint: endpoint), terms)
    end

    # Returns a handle that calls an endpoint by its name.
    def get_handle(endpoint)
      Handle.new(@serve, endpoint)
    end

    # Without the token, which belongs in no log.
    def inspect
      "#<Weir::Client of #{@address}>"
    end

    private

    def open(address, credentials)
      GRPC::ClientStub.setup_channel(nil, address, credentials).tap { |channel| @channels << channel }
    end

    def reject_removals(plan)
      removed = plan.changes.select { |change| change.action == :CHANGE_ACTION_REMOVE }
      return if removed.empty?

      names = removed.map { |change| "#{change.kind} '#{change.name}'" }.join(', ')
      text = "nothing has changed: the configuration does not name #{names}; prune: true removes them"
      raise FailedPrecondition, GRPC::FailedPrecondition.new(text)
    end

    def duration(seconds)
      return if seconds.nil?

      nanoseconds = (seconds.to_r * 1_000_000_000).round
      Google::Protobuf::Duration.new(seconds: nanoseconds / 1_000_000_000, nanos: nanoseconds % 1_000_000_000)
    end

    def ask(method, request)
      Weir.translating { @admin.public_send(method, request) }
    end

    def change(method, request, terms)
      unknown = terms.keys - %i[expected_revision validate_only comment]
      raise ArgumentError, "unknown keyword: #{unknown.join(', ')}" unless unknown.empty?

      request.expected_revision = terms[:expected_revision] if terms[:expected_revision]
      request.validate_only = terms.fetch(:validate_only, false)
      request.note = Admin::V1::ChangeNote.new(author: @author, comment: terms.fetch(:comment, ''))
      ask(method, request)
    end

    def first_call(address)
      ask(:list_instances, Admin::V1::ListInstancesRequest.new)
    rescue Unimplemented => e
      raise e.class.new(e, "#{address} is not an admin port; it may be a data port. Connect to the admin port, by " \
                           "default port 8001 (#{e.message})")
    rescue Unavailable => e
      raise e.class.new(e, "no Weir is reachable at the admin address #{address}: #{e.message}. Start one with " \
                           "'weir serve', or set WEIR_ADMIN to its address")
    end

    # The data address of the server, as reachable from here.
    def learn_data_address(address)
      instances = first_call(address).instances
      answering = instances.find(&:answering)
      raise ArgumentError, 'the server does not report its data address' unless answering

      host, _, port = answering.data_address.rpartition(':')
      # The server listens on all addresses, so the admin port's host also works.
      host = address.rpartition(':').first if ['0.0.0.0', '[::]'].include?(host)
      "#{host}:#{port}"
    end
  end
end
