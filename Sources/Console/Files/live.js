// Keeps the model equal to the server: two streams while the page is visible, reads at intervals,
// and a new connection when one is lost.

import { CallError, messageOf } from "./api.js";
import { list, number, setClock } from "./format.js";
import { isRunning } from "./model.js";
import { Windows } from "./windows.js";

/** @typedef {import("./api.js").Client} Client */
/** @typedef {import("./model.js").Model} Model */
/**
 * A read that repeats.
 * @typedef {{seconds: number, read: () => Promise<void>}} Poll
 */

const statsMilliseconds = 1000;
const silenceMilliseconds = 6000;
const refreshMilliseconds = 100;
const delays = [100, 250, 500, 1000, 2000, 4000];
/** The page does not show descriptors. */
const listed = { omitDescriptorSets: true };

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(milliseconds, signal) {
	return new Promise((resolve) => {
		const timer = setTimeout(resolve, milliseconds);
		signal.addEventListener("abort", () => { clearTimeout(timer);
			resolve(); }, { once: true });
	});
}

export class Live {
	/** @type {AbortController | null} */
	#connection = null;
	#isRunning = false;
	/** @type {Windows} */
	#windows;
	#wake = () => {};
	/** @type {Map<string, Poll>} */
	#polls = new Map();
	/** @type {AbortController | null} */
	#rollout = null;
	#rolloutEndpoint = "";
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#refresh;
	/**
	 * Older revisions that the page has asked for.
	 * @type {Set<number>}
	 */
	#asked = new Set();

	/**
	 * @param {Client} client
	 * @param {Model} model
	 * @param {() => void} changed
	 */
	constructor(client, model, changed) {
		this.client = client;
		this.model = model;
		this.changed = changed;
		// A hidden page holds no connection: browsers limit their number.
		const follow = () => {
			if (this.#isWanted) this.#wake();
			else this.#connection?.abort();
			changed();
		};
		document.addEventListener("visibilitychange", follow);
		this.#windows = new Windows(follow);
	}

	/** Whether the page follows the server. */
	get #isWanted() { return !document.hidden && this.#windows.isActive; }

	/** Whether other windows follow the server instead. */
	get isPaused() { return !this.#windows.isActive; }

	start() {
		if (this.#isRunning) {
			this.reconnect();
			return;
		}
		this.#isRunning = true;
		this.#run();
	}

	/** Connects again, for example with another token. */
	reconnect() {
		this.#connection?.abort();
		this.#wake();
	}

	async #run() {
		let failures = 0;
		for (;;) {
			await this.#untilWanted();
			const connection = new AbortController();
			this.#connection = connection;
			try {
				await this.#connect(connection.signal, () => { failures = 0; });
			} catch (error) {
				connection.abort();
				this.#failed(error);
			}
			this.#connection = null;
			if (this.model.connection === "lost" && this.#isWanted) {
				const delay = delays[Math.min(failures, delays.length - 1)] ?? 0;
				failures += 1;
				const waiting = new AbortController();
				this.#wake = () => waiting.abort();
				await pause(delay * (0.75 + Math.random() / 2), waiting.signal);
			}
		}
	}

	/** Waits while the page is hidden, or has no valid token. */
	async #untilWanted() {
		while (!this.#isWanted || this.model.connection === "login") {
			await new Promise((resolve) => { this.#wake = () => resolve(undefined); });
		}
	}

	/** @param {unknown} error */
	#failed(error) {
		const model = this.model;
		// The user has signed out.
		if (model.connection === "login") return;
		if (error instanceof CallError && ["unauthenticated", "permission_denied"].includes(error
				.code)) {
			model.connection = "login";
			model.reason = error.message;
			model.clear();
		} else if (this.#isWanted) {
			if (model.connection !== "lost") model.lostSince = Date.now();
			model.connection = "lost";
			model.reason = messageOf(error);
		}
		this.changed();
	}

	/**
	 * Holds a connection until it fails.
	 * @param {AbortSignal} signal
	 * @param {() => void} connected
	 */
	async #connect(signal, connected) {
		const { client, model } = this;
		const abandoned = new Promise((_, reject) => {
			signal.addEventListener("abort", () => reject(signal.reason instanceof CallError ? signal
				.reason : new CallError("canceled", "the page connects again")));
		});
		abandoned.catch(() => {});
		model.access = await client.call("GetAccess", {});
		const [revisions, backends, rollouts, fleet] = await Promise.all([
			client.call("ListRevisions", { limit: 100 }), client.call("ListBackends", listed),
			client.call("ListRollouts"), client.call("ListInstances")
		]);
		// The server may have started again with another history.
		model.forgetHistory();
		model.listed(revisions);
		model.listedBackends(backends);
		for (const each of list(rollouts.rollouts)) model.rolled(each);
		model.fleet = fleet;
		// The older ones can be long.
		client.call("ListRevisions", { limit: 1000 }).then((all) => model.listed(all), () => {});
		await Promise.race([abandoned, this.#watch(signal, connected), this.#watchStats(signal),
			this.#poll(signal)]);
	}

	/**
	 * @param {AbortSignal} signal
	 * @param {() => void} connected called when the server sends its state
	 */
	async #watch(signal, connected) {
		for await (const message of this.client.stream("Watch", {}, signal)) {
			connected();
			this.model.watched(message, Date.now());
			this.model.connection = "live";
			this.#refreshed();
			this.changed();
		}
		throw new CallError("unavailable", "the server ended the stream of changes");
	}

	/**
	 * Reads what a change may have changed besides endpoints and backends, once for many changes.
	 */
	#refreshed() {
		const { client, model } = this;
		if (this.#refresh) return;
		this.#refresh = setTimeout(async () => {
			this.#refresh = undefined;
			const rollouts = await client.call("ListRollouts").catch(() => ({}));
			for (const each of list(rollouts.rollouts)) model.rolled(each);
			this.#followRollout();
			this.changed();
		}, refreshMilliseconds);
	}

	/** @param {AbortSignal} signal */
	async #watchStats(signal) {
		let last = Date.now();
		const silence = new CallError("unavailable",
			`the server sent no figures for ${silenceMilliseconds / 1000} s`);
		const timer = setInterval(() => {
			if (Date.now() - last > silenceMilliseconds) this.#connection?.abort(silence);
		}, 1000);
		try {
			const request = {
				intervalMs: statsMilliseconds, pastSeconds: this.model.series.missing(Date.now()),
			};
			// On a slow link, the figures of the past need longer than the bound of silence.
			const received = () => { last = Date.now(); };
			for await (const stats of this.client.stream("WatchStats", request, signal, received)) {
				this.model.series.add(stats, last);
				setClock(last - this.model.series.latest.time);
				this.model.freeze = stats.freeze ?? null;
				this.changed();
			}
		} finally {
			clearInterval(timer);
		}
		throw new CallError("unavailable", "the server ended the stream of figures");
	}

	/**
	 * Repeats a read while the page is connected. The same name replaces it; null ends it.
	 * @param {string} name
	 * @param {Poll | null} poll
	 */
	setPoll(name, poll) {
		if (poll) this.#polls.set(name, poll);
		else this.#polls.delete(name);
	}

	/** @param {AbortSignal} signal */
	async #poll(signal) {
		/** @type {Map<Poll, number>} */
		const due = new Map();
		const backends = {
			seconds: 2,
			read: async () => this.model.listedBackends(await this.client.call("ListBackends", listed)),
		};
		const fleet = {
			seconds: 5,
			read: async () => {
				this.model.fleet = await this.client.call("ListInstances");
				// The role of the user may change.
				this.model.access = await this.client.call("GetAccess");
			},
		};
		const start = Date.now();
		due.set(backends, start + 2000);
		due.set(fleet, start + 5000);
		while (!signal.aborted) {
			// What to read depends on the state.
			const polls = this.model.hasState ? [backends, fleet, ...this.#polls.values()] : [];
			for (const poll of polls) {
				if (signal.aborted || Date.now() < (due.get(poll) ?? 0)) continue;
				const begin = Date.now();
				await poll.read().catch((/** @type {unknown} */ error) => {
					if (error instanceof CallError && error.code === "unavailable") throw error;
				});
				// A slow read repeats less often.
				const seconds = Math.max(poll.seconds, (Date.now() - begin) / 50);
				due.set(poll, Date.now() + seconds * 1000);
				this.changed();
			}
			await pause(200, signal);
		}
	}

	/**
	 * Streams the rollout of an endpoint while it runs; empty for none.
	 * @param {string} endpoint
	 */
	showRollout(endpoint) {
		if (endpoint !== this.#rolloutEndpoint) {
			this.#rollout?.abort();
			this.#rollout = null;
			this.#rolloutEndpoint = endpoint;
		}
		this.#followRollout();
	}

	async #followRollout() {
		const endpoint = this.#rolloutEndpoint;
		const isWanted = isRunning(this.model.rollouts.get(endpoint));
		const connection = this.#connection;
		if (!isWanted || this.#rollout || !connection) return;
		const following = new AbortController();
		this.#rollout = following;
		connection.signal.addEventListener("abort", () => following.abort());
		try {
			const request = { endpoint };
			for await (const rollout of this.client.stream("WatchRollout", request, following.signal)) {
				this.model.rolled(rollout);
				this.model.followed(rollout, Date.now());
				this.changed();
			}
		} catch {
			// The next change, or the next connection, tries again.
		}
		if (this.#rollout === following) this.#rollout = null;
	}

	/**
	 * Learns an older revision.
	 * @param {number} revision
	 */
	async learn(revision) {
		if (revision <= 0 || this.model.revisions.has(revision) || this.#asked.has(revision)) return;
		// Once, also for a revision that the server has not kept.
		this.#asked.add(revision);
		const answer = await this.client.call(
			"ListRevisions", { beforeRevision: String(revision + 1), limit: 1 }).catch(() => ({}));
		const found = list(answer.revisions).find((each) => number(each.revision) === revision);
		if (found) this.model.revisions.set(revision, found);
		this.changed();
	}
}
