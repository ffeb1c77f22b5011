# frozen_string_literal: true

module Weir
  # Gives calls a shard key, whatever stub they are made by: the same key reaches the same backend.
  #
  #   greeter = Helloworld::Greeter::Stub.new(address, :this_channel_is_insecure, interceptors: [Weir::ShardKey.new])
  #   Weir.shard_key('user-7') { greeter.say_hello(request) }
  class ShardKey < GRPC::ClientInterceptor
    def request_response(metadata:, **)
      add(metadata)
      yield
    end

    alias client_streamer request_response
    alias server_streamer request_response
    alias bidi_streamer request_response

    private

    def add(metadata)
      key = Thread.current[:weir_shard_key]
      metadata[SHARD_KEY] = key if key
    end
  end

  # Gives all calls of this thread in a block, through the interceptor ShardKey or a handle, a shard key. The key may
  # be any printable ASCII text.
  def self.shard_key(key)
    before = Thread.current[:weir_shard_key]
    Thread.current[:weir_shard_key] = key
    yield
  ensure
    Thread.current[:weir_shard_key] = before
  end
end
