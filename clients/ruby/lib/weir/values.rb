# frozen_string_literal: true

module Weir
  # Checks of values that would otherwise change silently.
  module Values
    ADDRESS = %r{\A(\[[^\]]+\]|[^\s:/\[\]]+):(\d{1,5})\z}
    # Objects without a method of their own get this one, which writes `to_s`.
    GENERIC = Object.new.method(:to_json).owner

    module_function

    def check_address(address)
      port = address.is_a?(String) && address[ADDRESS, 2].to_i
      return if port && port.between?(1, 65_535)

      raise ArgumentError, "invalid address #{address.inspect}: use host:port, for example '127.0.0.1:8001'"
    end

    # A value as JSON; raises ArgumentError if it has none.
    def json(value)
      check_json(value)
      JSON.generate(value)
    end

    def check_json(value)
      case value
      when Hash then value.each { |name, part| [name.to_s, part].each { |one| check_json(one) } }
      when Array then value.each { |part| check_json(part) }
      when String then check_text(value)
      when Float then raise ArgumentError, "#{value} is not valid in JSON" unless value.finite?
      else
        return unless value.method(:to_json).owner == GENERIC && !value.is_a?(Symbol)

        raise ArgumentError, "a #{value.class} has no form in JSON: convert it to a Hash, an Array or a String"
      end
    end

    def check_text(value)
      raise ArgumentError, "text is not valid #{value.encoding}: for bytes, use String#b" unless value.valid_encoding?
    end

    # The keywords of a call as a query; an Array gives a name several values.
    def query(keywords)
      keywords.each do |name, value|
        (value.is_a?(Array) ? value : [value]).each do |part|
          next if [String, Symbol, Numeric, true, false].any? { |kind| kind === part }

          raise ArgumentError, "the value of #{name} has no text for a query: use a String, a number, true, false or " \
                               'an Array of them'
        end
      end
      URI.encode_www_form(keywords)
    end

    def check_traffic(traffic)
      return if traffic.is_a?(Hash) && traffic.each_value.all?(Numeric)

      raise ArgumentError, "invalid traffic #{traffic.inspect}: use a Hash such as { 'v1' => 0.9, 'v2' => 0.1 }"
    end
  end
  private_constant :Values
end
