const MASK = (1n << 64n) - 1n;
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

const rotate = (value, bits) => ((value << bits) | (value >> (64n - bits))) & MASK;
const round = (accumulator, lane) => (rotate((accumulator + lane * P2) & MASK, 31n) * P1) & MASK;

/**
 * XXH64, which Node and browsers lack; tested with the published vectors. Source: the xxHash specification,
 * section "XXH64 algorithm description".
 *
 * @param {Uint8Array} bytes
 * @param {bigint} seed
 */
export function xxh64(bytes, seed) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  let hash;
  if (bytes.length >= 32) {
    let lanes = [seed + P1 + P2, seed + P2, seed, seed - P1].map((lane) => lane & MASK);
    for (; offset + 32 <= bytes.length; offset += 32) {
      lanes = lanes.map((lane, index) => round(lane, view.getBigUint64(offset + 8 * index, true)));
    }
    const [a, b, c, d] = lanes;
    hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & MASK;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  } else {
    hash = (seed + P5) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; offset + 8 <= bytes.length; offset += 8) {
    hash = (rotate(hash ^ round(0n, view.getBigUint64(offset, true)), 27n) * P1 + P4) & MASK;
  }
  if (offset + 4 <= bytes.length) {
    hash ^= (BigInt(view.getUint32(offset, true)) * P1) & MASK;
    hash = (rotate(hash, 23n) * P2 + P3) & MASK;
    offset += 4;
  }
  for (; offset < bytes.length; offset++) {
    hash ^= (BigInt(bytes[offset]) * P5) & MASK;
    hash = (rotate(hash, 11n) * P1) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

const utf8 = (text) => (typeof text === "string" ? new TextEncoder().encode(text) : text);

/**
 * Computes the backend of a shard key locally, from intervals of the points [0, 2^64), each with
 * one owner. The point of a key is XXH64(key, XXH64(endpoint, 0)); protos/vectors/affinity.json has
 * test vectors.
 */
export class AffinityMap {
  #seed;
  #intervals;

  /** @param endpoint the result of `client.getEndpoint` */
  constructor(endpoint) {
    // JSON may omit the start of the first interval, which is 0.
    this.#intervals = endpoint.intervals.map(({ start, backend }) => ({ start: BigInt(start ?? 0), backend }));
    if (this.#intervals[0]?.start !== 0n) throw new RangeError("the intervals of an affinity map must begin at 0");
    this.#seed = xxh64(utf8(endpoint.name), 0n);
  }

  /** The point of a key. */
  point(shardKey) {
    return xxh64(utf8(shardKey), this.#seed);
  }

  /**
   * The owner of a key: the backend, and the interval that contains the key's point. An empty key
   * counts as no key, and is an error.
   */
  explain(shardKey) {
    if (typeof shardKey !== "string") throw new TypeError(`invalid shard key ${shardKey}: use text`);
    if (shardKey.length === 0) {
      throw new RangeError("the shard key is empty; without a key, Weir selects the backend at random");
    }
    const point = this.point(shardKey);
    let [low, high] = [0, this.#intervals.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#intervals[middle].start <= point) low = middle;
      else high = middle;
    }
    const { start, backend } = this.#intervals[low];
    const last = high < this.#intervals.length ? this.#intervals[high].start - 1n : MASK;
    return { backend, point, first: start, last };
  }
}
