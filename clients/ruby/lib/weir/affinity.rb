# frozen_string_literal: true

require 'weir/xxhash'

module Weir
  # The owner of a shard key: the backend, and the interval that contains the key's point.
  Owner = Struct.new(:backend, :point, :first, :last, keyword_init: true)

  # Computes the backend of a shard key locally, from intervals of the points [0, 2^64), each with
  # one owner. The point of a key is XXH64(key, XXH64(endpoint, 0)); protos/vectors/affinity.json
  # has test vectors.
  class AffinityMap
    LAST = 2**64 - 1

    # Creates a map from the result of Client#get_endpoint.
    def initialize(endpoint)
      @intervals = endpoint.intervals.map { |interval| [interval.start, interval.backend] }
      raise ArgumentError, 'the intervals of an affinity map must begin at 0' unless @intervals.dig(0, 0)&.zero?

      @seed = XXH64.digest(endpoint.name, 0)
    end

    # The point of a key.
    def point(shard_key)
      XXH64.digest(shard_key, @seed)
    end

    # The owner of a key. An empty key counts as no key, and is an error.
    def explain(shard_key)
      raise ArgumentError, "invalid shard key #{shard_key.inspect}: use text" unless shard_key.is_a?(String)
      raise ArgumentError, 'the shard key is empty; without a key, Weir selects at random' if shard_key.empty?

      point = point(shard_key)
      following = @intervals.bsearch_index { |start, _| start > point } || @intervals.size
      start, backend = @intervals[following - 1]
      last = following < @intervals.size ? @intervals[following][0] - 1 : LAST
      Owner.new(backend: backend, point: point, first: start, last: last)
    end
  end
end
