/** Splits the body of a response into envelopes, however it arrives. */
export class Envelopes {
  #chunks = [];
  #length = 0;
  /** The bytes that the next envelope needs. Chunks are joined once for each envelope. */
  #needed = 5;

  /** The envelopes that a chunk completes. */
  *add(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= this.#needed) {
      const bytes = this.#joined();
      this.#needed = 5 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
      if (this.#length < this.#needed) return;
      const found = { flag: bytes[0], payload: bytes.subarray(5, this.#needed) };
      this.#chunks = [bytes.subarray(this.#needed)];
      this.#length -= this.#needed;
      this.#needed = 5;
      yield found;
    }
  }

  #joined() {
    if (this.#chunks.length === 1) return this.#chunks[0];
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    this.#chunks = [bytes];
    return bytes;
  }
}
