# frozen_string_literal: true

# Tests the client against the server at WEIR_ADMIN. The server has backends dynamic and dynamic-2,
# which return the request of a dynamic call unchanged, and an endpoint greeter on
# /helloworld.Greeter/ that splits its traffic evenly between typed and typed-2. WEIR_VECTORS is the
# folder protos/vectors. WEIR_GUARDED requires WEIR_TOKEN, and has an endpoint `recorded`.
require 'minitest/autorun'
require 'google/protobuf/duration_pb'
require 'google/protobuf/wrappers_pb'
require 'weir'

class SmokeTest < Minitest::Test
  class Greeter
    include GRPC::GenericService

    self.marshal_class_method = :encode
    self.unmarshal_class_method = :decode
    self.service_name = 'helloworld.Greeter'
    rpc :SayHello, Google::Protobuf::StringValue, Google::Protobuf::StringValue
  end

  HALF = { 'dynamic' => 0.5, 'dynamic-2' => 0.5 }.freeze

  def setup
    @client = Weir.connect(ENV.fetch('WEIR_ADMIN'))
    @client.create_endpoint('ruby', backend: 'dynamic', route: '/ruby')
  end

  def teardown
    @client.delete_endpoint('ruby')
  end

  def refused(kind, field = nil, &call)
    error = assert_raises(kind, &call)
    field ? assert_equal(field, error.field) : assert_nil(error.field)
    refute_empty error.message
    error
  end

  def test_backends_and_endpoints
    backend = @client.create_backend('ruby-upstream', ['127.0.0.1:1'])
    assert_equal ['127.0.0.1:1'], backend.upstream.addresses.to_a
    refused(Weir::AlreadyExists, 'backend.name') { @client.create_backend('ruby-upstream', ['127.0.0.1:1']) }
    @client.delete_backend('ruby-upstream')
    refute_includes @client.list_backends.map(&:name), 'ruby-upstream'
    refused(Weir::NotFound) { @client.delete_backend('ruby-upstream') }
    assert_includes @client.list_endpoints.map(&:route), '/ruby'
    refused(Weir::InvalidArgument, 'route') do
      @client.create_endpoint('bad', backend: 'dynamic', route: 'no route')
    end
    assert_raises(ArgumentError) { @client.delete_endpoint('ruby', sure: true) }
  end

  def test_traffic_shadows_and_history
    error = refused(Weir::InvalidArgument, 'weights') { @client.set_traffic('ruby', { 'dynamic' => 0.9 }) }
    assert_match(/sum to 1/, error.message)
    assert_equal 0.5, @client.set_traffic('ruby', HALF, validate_only: true).moved_share
    before = @client.history(1).first.revision
    error = refused(Weir::RevisionConflict) { @client.set_traffic('ruby', HALF, expected_revision: 0) }
    assert_equal ['REVISION_CONFLICT', before.to_s], [error.reason, error.metadata['current_revision']]
    @client.set_traffic('ruby', HALF, comment: 'from Ruby')
    assert_equal HALF, @client.get_traffic('ruby')
    latest = @client.history(1).first
    assert_equal 'from Ruby', latest.comment
    assert_includes latest.author, '@'
    assert_equal 1, @client.shadow_traffic('ruby', 'dynamic-2', 1).shadows.first.proportion
    10.times { @client.get_handle('ruby').response('x') }
    assert_equal ['dynamic-2'], @client.shadow_report('ruby').map(&:backend)
    assert_equal 0.5, @client.rollback(before, endpoint: 'ruby').changes.first.moved_share
  end

  def test_rate_limits_and_comparison_of_shadows
    limited = @client.set_rate_limit('ruby', 100, burst: 5, comment: 'limit')
    assert_equal [100, 5], [limited.rate_limit.requests_per_second, limited.rate_limit.burst]
    refused(Weir::InvalidArgument, 'rate_limit.requests_per_second') { @client.set_rate_limit('ruby', -1) }
    assert_nil @client.set_rate_limit('ruby', nil).rate_limit
    changed = @client.set_shadow_comparison('ruby', { ignored_fields: ['time'] })
    assert_equal ['time'], changed.comparison.ignored_fields.to_a
    @client.shadow_traffic('ruby', 'dynamic-2', 0.5)
    @client.reset_shadow_report('ruby', 'dynamic-2')
    refused(Weir::NotFound) { @client.reset_shadow_report('ruby', 'dynamic') }
  end

  def test_the_whole_state
    state = @client.export
    assert_empty @client.apply(state).changes
    # As a Hash, as of a file.
    wanted = JSON.parse(Weir::Admin::V1::Configuration.encode_json(state))
    wanted['endpoints'].find { |endpoint| endpoint['name'] == 'ruby' }['route'] = '/ruby-moved'
    changes = @client.apply(wanted, validate_only: true).changes
    assert_equal([%w[endpoint ruby]], changes.map { |change| [change.kind, change.name] })
    others = { **wanted, 'endpoints' => wanted['endpoints'].reject { |endpoint| endpoint['name'] == 'ruby' } }
    error = refused(Weir::FailedPrecondition) { @client.apply(others) }
    assert_match(/name endpoint 'ruby';/, error.message)
    refused(Weir::FailedPrecondition) { @client.apply({}) }
    assert_equal 1, @client.apply(wanted).changes.size
    assert_equal :CHANGE_ACTION_REMOVE, @client.apply(others, prune: true).changes.first.action
    refused(Weir::RevisionConflict) { @client.apply(state, expected_revision: 1) }
    assert_equal 1, @client.apply(state).changes.size
  end

  def test_all_fields_of_requests
    created = @client.create_backend(
      'ruby-all', ['127.0.0.1:1'], backend: { options: { max_requests_in_flight: 7 } })
    assert_equal [7, ['127.0.0.1:1']], [created.options.max_requests_in_flight, created.upstream.addresses.to_a]
    @client.delete_backend('ruby-all')
    made = @client.create_endpoint(
      'ruby-all', backend: 'dynamic', route: '/ruby-all', methods: ['GET'], cors: { origins: ['*'] },
                  http_shard_key: { cookie: 'user' }, comment: 'all')
    assert_equal [['GET'], ['*'], 'user'], [made['methods'].to_a, made.cors.origins.to_a, made.http_shard_key.cookie]
    boxed = @client.set_traffic('ruby-all', { 'dynamic-2' => 1 }, confirm_within: 3600.5, override_freeze: true)
    assert boxed.endpoint.time_box.confirmable
    shadow = @client.shadow_traffic('ruby-all', 'dynamic', 1, options: { include_own: true }).shadows.first
    assert shadow.options.include_own
    page = @client.history(9, endpoint: 'ruby-all', before_revision: boxed.revision)
    assert_equal ['all'], page.map(&:comment)
    @client.delete_endpoint('ruby-all')
  end

  def test_rollouts
    plan = { candidate: 'dynamic-2', steps: ['10%', '50%'], minimum: Google::Protobuf::Duration.new(seconds: 3600) }
    assert_equal 3, @client.start_rollout('ruby', plan, validate_only: true).preview.size
    assert_equal ['10%', '50%', '100%'], @client.start_rollout('ruby', plan).rollout.plan.steps.to_a
    refused(Weir::FailedPrecondition) { @client.set_traffic('ruby', HALF) }
    assert_equal 'operator', @client.pause_rollout('ruby').pause
    assert_equal '', @client.resume_rollout('ruby').pause
    assert_equal 1, @client.advance_rollout('ruby', comment: 'next').step
    assert_equal ['ruby'], @client.list_rollouts.map(&:endpoint)
    assert_equal 1, @client.watch_rollout('ruby').first.step
    @client.watch_rollout('ruby') do |seen|
      @client.abort_rollout('ruby', immediate: true) unless seen.phase == :ROLLOUT_PHASE_ABORTED
    end
    assert_equal :ROLLOUT_PHASE_ABORTED, @client.get_rollout('ruby').phase
    @client.start_rollout('ruby', plan)
    assert_equal :ROLLOUT_PHASE_SUCCEEDED, @client.promote_rollout('ruby').phase
    refused(Weir::NotFound) { @client.watch_rollout('none').first }
  end

  def test_handles_and_offline_explain
    @client.set_traffic('ruby', HALF)
    affinity = Weir::AffinityMap.new(@client.get_endpoint('ruby'))
    handle = @client.get_handle('ruby').options(method_name: 'other', timeout: 10)
    seen = 40.times.map do |number|
      key = "user-#{number}"
      response = handle.options(shard_key: key).response({ n: number }, 'x-a': 'ü')
      owner = affinity.explain(key)
      told = @client.explain('ruby', key)
      assert_equal [owner.backend, owner.backend, owner.point], [response.backend, told.backend, told.point]
      assert_includes owner.first..owner.last, owner.point
      request = Weir::V1::CallRequest.decode(response.body)
      assert_equal ["{\"n\":#{number}}", 'other', 'x-a=%C3%BC'], [request.payload, request.method_name, request.query]
      owner.backend
    end
    assert_equal HALF.keys, seen.uniq.sort
    in_block = Weir.shard_key('user-7') { handle.response.backend }
    assert_equal affinity.explain('user-7').backend, in_block
    assert_equal 'xxx', handle.call(type: 'text/plain', bytes: 3)
    refused(Weir::NotFound) { @client.get_handle('none').call }
    refused(Weir::DeadlineExceeded) { handle.options(timeout: 0.1).call(wait: '') }
  end

  def test_shard_keys_of_stubs
    greeter = Greeter.rpc_stub_class.new(
      @client.data_address, :this_channel_is_insecure, interceptors: [Weir::ShardKey.new]
    )
    affinity = Weir::AffinityMap.new(@client.get_endpoint('greeter'))
    20.times do |number|
      key = "user-#{number}"
      hello = Google::Protobuf::StringValue.new(value: key)
      operation = Weir.shard_key(key) { greeter.say_hello(hello, return_op: true).tap(&:execute) }
      assert_equal affinity.explain(key).backend, operation.trailing_metadata[Weir::BACKEND]
    end
  end

  def read_vectors(name)
    JSON.parse(File.read(File.join(ENV.fetch('WEIR_VECTORS'), name)))
  end

  def test_shard_keys_of_metadata
    keys = read_vectors('shard_keys.json')
    @client.set_traffic('ruby', HALF)
    affinity = Weir::AffinityMap.new(@client.get_endpoint('ruby'))
    handle = @client.get_handle('ruby')
    keys['valid'].each do |key|
      assert_equal affinity.explain(key).backend, handle.options(shard_key: key).response.backend
    end
    [*keys['invalid'], 5].each do |key|
      assert_raises(ArgumentError) { handle.options(shard_key: key) }
      assert_raises(ArgumentError) { Weir.shard_key(key) { flunk } }
    end
  end

  def test_misuse_is_an_error_with_what_to_do
    assert_match(/it may be a data port/, assert_raises(Weir::Unimplemented) { Weir.connect(@client.data_address) }.message)
    assert_match(/weir serve/, assert_raises(Weir::Unavailable) { Weir.connect('127.0.0.1:1') }.message)
    [25_001, nil, 'http://127.0.0.1:8001', 'localhost', ':8001', 'a:0', 'a:99999', '::1:8001', "a:1\n"].each do |address|
      assert_match(/use host:port/, assert_raises(ArgumentError) { Weir.connect(address) }.message)
    end
    [nil, 'x', [], { 'dynamic' => '1' }, { 'dynamic' => true }].each do |traffic|
      assert_match(/invalid traffic/, assert_raises(ArgumentError) { @client.set_traffic('ruby', traffic) }.message)
    end
    assert_raises(ArgumentError) { @client.create_backend('b', '127.0.0.1:1') }
    handle = @client.get_handle('ruby')
    [Object.new, [Object], { a: Class.new.new }, { "\xff" => 1 }, "\xff", ["\xff"], Float::NAN].each do |value|
      assert_raises(ArgumentError) { handle.response(value) }
    end
    [nil, true, 1, :a, 1.5, 'ü', "\xff".b, [1, { a: nil }]].each { |value| handle.response(value) }
    [{}, nil, [[1]], Object.new].each { |value| assert_raises(ArgumentError) { handle.response(a: value) } }
    assert_equal 'a=1&a=2&b=true', Weir::V1::CallRequest.decode(handle.response(a: [1, 2], b: true).body).query
    [0, -1, Float::NAN, '1'].each { |timeout| assert_raises(ArgumentError) { handle.options(timeout: timeout) } }
    assert_raises(ArgumentError) { Weir::AffinityMap.new(@client.get_endpoint('ruby')).explain(7) }
  end

  def test_a_closed_client_says_so
    client = Weir.connect
    handle = client.get_handle('ruby')
    2.times { client.close }
    [-> { client.list_backends }, -> { handle.call }, -> { client.watch_rollout('ruby').first }].each do |call|
      assert_match(/closed/, assert_raises(Weir::FailedPrecondition, &call).message)
    end
  end

  def test_tokens
    address = ENV.fetch('WEIR_GUARDED') { skip 'WEIR_GUARDED is not set: see Tests/Python/test_clients.py' }
    [nil, 'wrong'].each do |token|
      error = assert_raises(Weir::Error) { Weir.connect(address, token: token) }
      assert_equal GRPC::Core::StatusCodes::UNAUTHENTICATED, error.code
    end
    client = Weir.connect(address, token: ENV.fetch('WEIR_TOKEN'))
    assert_equal ['recorder'], client.list_backends.map(&:name)
    assert_equal 'recorder', client.get_handle('recorded').options(shard_key: 'token-test').response.backend
    assert_raises(ArgumentError) { Weir.connect('192.0.2.1:1', token: 'secret') }
  end

  def test_the_published_vectors
    vectors = read_vectors('affinity.json')
    checked = 0
    vectors['cases'].each do |set|
      endpoint = Weir::Admin::V1::Endpoint.new(
        name: set['endpoint'],
        intervals: set['intervals'].map do |part|
          Weir::Admin::V1::Interval.new(start: part['start'].to_i, backend: part['backend'])
        end
      )
      affinity = Weir::AffinityMap.new(endpoint)
      set['choices'].each do |choice|
        assert_equal choice['point'].to_i, affinity.point(choice['key'])
        next if choice['key'].empty?

        assert_equal choice['backend'], affinity.explain(choice['key']).backend
        checked += 1
      end
    end
    assert_operator checked, :>, 20
    assert_raises(ArgumentError) { Weir::AffinityMap.new(Weir::Admin::V1::Endpoint.new(name: 'x')) }
  end

  def test_inspect_hides_the_token
    token = 'a-token-of-an-operator'
    client = Weir.connect(ENV.fetch('WEIR_ADMIN'), token: token)
    [client, client.admin].each { |object| refute_includes object.inspect, token }
    refute_includes assert_raises(NoMethodError) { client.none }.message, token
  end

  def test_errors_of_any_backend
    info = Google::Rpc::ErrorInfo.new(reason: 'REVISION_CONFLICT')
    details = Google::Rpc::Status.new(details: [Google::Protobuf::Any.pack(info)]).to_proto
    { details => Weir::RevisionConflict, "\xff".b => Weir::Aborted, '' => Weir::Aborted }.each do |packed, kind|
      error = assert_raises(kind) do
        Weir.translating { raise GRPC::Aborted.new('failed', 'grpc-status-details-bin' => packed) }
      end
      assert_instance_of kind, error
    end
  end
end
