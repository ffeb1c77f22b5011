# frozen_string_literal: true

# Moves a share of the demo's traffic to greeter-v2, and back. Run it against `make run`:
#   ruby -I clients/ruby/lib clients/ruby/examples/canary.rb [ADMIN ADDRESS]
require 'google/protobuf/wrappers_pb'
require 'weir'

# An ordinary stub, as grpc_tools_ruby_protoc would generate it from helloworld.proto. A StringValue
# has the format of HelloRequest and HelloReply.
class Greeter
  include GRPC::GenericService

  self.marshal_class_method = :encode
  self.unmarshal_class_method = :decode
  self.service_name = 'helloworld.Greeter'
  rpc :SayHello, Google::Protobuf::StringValue, Google::Protobuf::StringValue
end

client = Weir.connect(ARGV.fetch(0, '127.0.0.1:8001'))
greeter = Greeter.rpc_stub_class.new(
  client.data_address, :this_channel_is_insecure, interceptors: [Weir::ShardKey.new]
)
hello = Google::Protobuf::StringValue.new(value: 'Ada')

[0.0, 0.1, 0.5, 0.0].each do |share|
  change = client.set_traffic('greeter', { 'greeter-v1' => 1 - share, 'greeter-v2' => share })
  answered = Hash.new(0)
  200.times do |user|
    operation = Weir.shard_key("user-#{user}") { greeter.say_hello(hello, return_op: true).tap(&:execute) }
    answered[operation.trailing_metadata[Weir::BACKEND]] += 1
  end
  puts format(
    '%3.0f %% canary, %2.0f %% of users moved: greeter-v1 %d, greeter-v2 %d', share * 100, change.moved_share * 100,
    answered['greeter-v1'], answered['greeter-v2']
  )
end
