// The frames of Connect streams. Pure.

const prefixBytes = 5;
const compressed = 1;
const end = 2;
// The largest message that the page keeps.
const limit = 64 << 20;

/**
 * A message of a stream, or its end.
 * @typedef {{isEnd: boolean, text: string}} Frame
 */

/** Cuts received bytes into frames. */
export class FrameReader {
	/** @type {Uint8Array} */
	#rest = new Uint8Array(0);
	#decoder = new TextDecoder("utf-8", { fatal: true });

	/**
	 * @param {Uint8Array} bytes
	 * @returns {Frame[]} the frames that are complete
	 */
	push(bytes) {
		const all = new Uint8Array(this.#rest.length + bytes.length);
		all.set(this.#rest);
		all.set(bytes, this.#rest.length);
		const frames = [];
		let start = 0;
		while (all.length - start >= prefixBytes) {
			const view = new DataView(all.buffer, start, prefixBytes);
			const flags = view.getUint8(0);
			const length = view.getUint32(1);
			if (flags & compressed || length > limit) throw new Error("invalid frame from the server");
			if (all.length - start - prefixBytes < length) break;
			const from = start + prefixBytes;
			const text = this.#decoder.decode(all.subarray(from, from + length));
			frames.push({ isEnd: (flags & end) !== 0, text });
			start = from + length;
		}
		this.#rest = all.subarray(start);
		return frames;
	}
}

/**
 * A request of a stream: one frame.
 * @param {string} text
 */
export function frame(text) {
	const body = new TextEncoder().encode(text);
	const bytes = new Uint8Array(prefixBytes + body.length);
	new DataView(bytes.buffer).setUint32(1, body.length);
	bytes.set(body, prefixBytes);
	return bytes;
}
