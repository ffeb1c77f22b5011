# frozen_string_literal: true

module Weir
  # Sends a token with each call.
  class Token < GRPC::ClientInterceptor
    LOOPBACK = /\A(127\.[\d.]+|localhost|\[::1\]):/

    # Raises ArgumentError if the token would be sent in plaintext over a network.
    def initialize(token, address, credentials)
      super()
      if credentials == :this_channel_is_insecure && !LOOPBACK.match?(address)
        raise ArgumentError, "sending a token to #{address} requires credentials"
      end
      @value = "Bearer #{token}"
    end

    # Without the token, which belongs in no log.
    def inspect
      '#<Weir::Token>'
    end

    %i[request_response client_streamer server_streamer bidi_streamer].each do |kind|
      define_method(kind) do |metadata:, **_others, &call|
        metadata['authorization'] = @value
        call.call
      end
    end
  end
end
