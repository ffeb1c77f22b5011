# frozen_string_literal: true

module Weir
  # Sets the shard key of calls of any stub; Weir routes the same key to the same backend.
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

  # Sets the shard key of this thread's calls in a block, for handles and stubs with the interceptor
  # ShardKey. The key may be any printable ASCII text.
  def self.shard_key(key)
    before = Thread.current[:weir_shard_key]
    Thread.current[:weir_shard_key] = key
    yield
  ensure
    Thread.current[:weir_shard_key] = before
  end
end
