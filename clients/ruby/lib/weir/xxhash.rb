# frozen_string_literal: true

module Weir
  # XXH64 in Ruby, because no packaged library supports a seed; tested with the published vectors.
  # Source: the xxHash specification, section "XXH64 algorithm description".
  module XXH64
    MASK = 0xffff_ffff_ffff_ffff
    PRIMES = [
      0x9e37_79b1_85eb_ca87, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0x85eb_ca77_c2b2_ae63,
      0x27d4_eb2f_1656_67c5
    ].freeze

    module_function

    def rotate(value, bits)
      ((value << bits) | (value >> (64 - bits))) & MASK
    end

    def round(accumulator, lane)
      rotate((accumulator + lane * PRIMES[1]) & MASK, 31) * PRIMES[0] & MASK
    end

    # The hash of a string's bytes.
    def digest(text, seed)
      bytes = text.b
      length = bytes.bytesize
      hash, offset = stripes(bytes, seed)
      hash = (hash + length) & MASK
      while offset + 8 <= length
        hash ^= round(0, bytes.unpack1('Q<', offset: offset))
        hash = (rotate(hash, 27) * PRIMES[0] + PRIMES[3]) & MASK
        offset += 8
      end
      if offset + 4 <= length
        hash ^= bytes.unpack1('L<', offset: offset) * PRIMES[0] & MASK
        hash = (rotate(hash, 23) * PRIMES[1] + PRIMES[2]) & MASK
        offset += 4
      end
      bytes.byteslice(offset..).each_byte do |byte|
        hash ^= byte * PRIMES[4] & MASK
        hash = rotate(hash, 11) * PRIMES[0] & MASK
      end
      avalanche(hash)
    end

    # The hash of all whole stripes of 32 bytes, and the position after them.
    def stripes(bytes, seed)
      return [(seed + PRIMES[4]) & MASK, 0] if bytes.bytesize < 32

      lanes = [seed + PRIMES[0] + PRIMES[1], seed + PRIMES[1], seed, seed - PRIMES[0]].map { |lane| lane & MASK }
      offset = 0
      while offset + 32 <= bytes.bytesize
        lanes = lanes.zip(bytes.unpack("@#{offset}Q<4")).map { |lane, input| round(lane, input) }
        offset += 32
      end
      hash = lanes.zip([1, 7, 12, 18]).sum { |lane, bits| rotate(lane, bits) } & MASK
      lanes.each { |lane| hash = ((hash ^ round(0, lane)) * PRIMES[0] + PRIMES[3]) & MASK }
      [hash, offset]
    end

    def avalanche(hash)
      hash = (hash ^ (hash >> 33)) * PRIMES[1] & MASK
      hash = (hash ^ (hash >> 29)) * PRIMES[2] & MASK
      hash ^ (hash >> 32)
    end
  end
end
