// Browsers allow six connections to a server without TLS, and a page uses two or three for streams
// and one for calls. So only the two windows that the user used last follow the server.

const most = 2;
const announceMilliseconds = 1000;
const silenceMilliseconds = 3500;

/** The visible windows of this browser that show this console. */
export class Windows {
	#own = crypto.getRandomValues(new Uint32Array(2)).join("-");
	#used = Date.now();
	/**
	 * The others: when the user used them, and when they announced themselves.
	 * @type {Map<string, {used: number, seen: number}>}
	 */
	#others = new Map();
	#channel = new BroadcastChannel("weir.windows");
	#wasActive = true;

	/** @param {() => void} changed */
	constructor(changed) {
		this.changed = changed;
		// HTTP/2 has no such bound.
		if (location.protocol === "https:") return;
		this.#channel.onmessage = ({ data }) => {
			if (typeof data?.id !== "string" || typeof data.used !== "number") return;
			if (data.isHidden) this.#others.delete(data.id);
			else this.#others.set(data.id, { used: data.used, seen: Date.now() });
			this.#judge();
		};
		for (const name of ["focus", "pointerdown", "keydown"]) addEventListener(name,
			() => this.#use());
		document.addEventListener("visibilitychange", () => {
			if (document.hidden) this.#announce();
			else this.#use();
		});
		addEventListener("pagehide", () => this.#announce(true));
		setInterval(() => this.#announce(), announceMilliseconds);
		this.#announce();
	}

	/** Whether this window follows the server. */
	get isActive() {
		const newer = [...this.#others].filter(([id, each]) => each.used > this.#used ||
			(each.used === this.#used && id > this.#own));
		return newer.length < most;
	}

	#use() {
		this.#used = Date.now();
		this.#announce();
	}

	/** @param {boolean} isHidden */
	#announce(isHidden = document.hidden) {
		this.#channel.postMessage({ id: this.#own, used: this.#used, isHidden });
		this.#judge();
	}

	#judge() {
		for (const [id, each] of this.#others) {
			if (Date.now() - each.seen > silenceMilliseconds) this.#others.delete(id);
		}
		if (this.isActive === this.#wasActive) return;
		this.#wasActive = this.isActive;
		this.changed();
	}
}
