# frozen_string_literal: true

module Weir
  # The response to a call by name.
  Response = Struct.new(:body, :content_type, :status, :backend, keyword_init: true) do
    # The body as a value: parsed JSON, text, or bytes.
    def data
      kind = content_type.split(';').first.to_s.strip
      return JSON.parse(body) if kind == 'application/json' || kind.end_with?('+json')

      kind.start_with?('text/') ? body.dup.force_encoding('UTF-8') : body
    end
  end

  # Calls one endpoint by its name, without a .proto. `options` returns a handle with other options.
  class Handle
    def initialize(stub, endpoint, settings = {})
      @stub = stub
      @endpoint = endpoint
      @settings = settings
    end

    # Omitted options keep their values. `timeout` is in seconds, more than 0.
    def options(shard_key: nil, method_name: nil, timeout: nil)
      Weir.checked_key(shard_key) unless shard_key.nil?
      unless timeout.nil? || (timeout.is_a?(Numeric) && timeout.positive?)
        raise ArgumentError, "invalid timeout #{timeout.inspect}: use seconds, more than 0"
      end
      given = { shard_key: shard_key, method_name: method_name, timeout: timeout }.compact
      Handle.new(@stub, @endpoint, @settings.merge(given))
    end

    # Calls the endpoint and returns the value of the response. A String is sent as text, or as
    # bytes if its encoding is binary, anything else as JSON, and the keywords as the query. Raises
    # a Weir::Error.
    def call(data = nil, **query)
      response(data, **query).data
    end

    # Calls the endpoint and returns the whole response.
    def response(data = nil, **query)
      body, content_type = encode(data)
      request = V1::CallRequest.new(
        payload: body, content_type: content_type, method_name: @settings.fetch(:method_name, ''),
        query: Values.query(query)
      )
      Weir.translating do
        operation = @stub.call(request, metadata: metadata, deadline: deadline, return_op: true)
        reply = operation.execute
        Response.new(
          body: reply.payload, content_type: reply.content_type.empty? ? 'application/json' : reply.content_type,
          status: reply.http_status.zero? ? 200 : reply.http_status, backend: operation.trailing_metadata[BACKEND]
        )
      end
    end

    private

    def encode(data)
      return [Values.json(data), 'application/json'] unless data.is_a?(String)
      return [data, 'application/octet-stream'] if data.encoding == Encoding::BINARY

      Values.check_text(data)
      [data.encode('UTF-8').b, 'text/plain; charset=utf-8']
    end

    def metadata
      key = @settings[:shard_key] || Thread.current[:weir_shard_key]
      { ENDPOINT => @endpoint, SHARD_KEY => key }.compact
    end

    def deadline
      @settings[:timeout] && Time.now + @settings[:timeout]
    end
  end
end
