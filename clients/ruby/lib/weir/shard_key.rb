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
  # ShardKey. The key may be any printable ASCII text without spaces at its ends; raises ArgumentError
  # for others.
  def self.shard_key(key)
    before = Thread.current[:weir_shard_key]
    Thread.current[:weir_shard_key] = checked_key(key)
    yield
  ensure
    Thread.current[:weir_shard_key] = before
  end

  # Checks that a shard key is valid in metadata.
  def self.checked_key(key)
    return key if key.is_a?(String) && key.b.match?(/\A[!-~]([ -~]*[!-~])?\z/n)

    raise ArgumentError, "invalid shard key #{key.inspect}: metadata allows only printable ASCII without spaces " \
                         'at the ends; use its hash or base64'
  end
end
