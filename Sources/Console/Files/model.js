// What the page knows about the server.

import { byName, list, number, percent, rate, word } from "./format.js";
import { Series, recent, figures } from "./series.js";

// The revisions, and the states of a rollout, that the page keeps.
const keptRevisions = 1000;
const keptEvidence = 900;
/** The shares of errors that are a warning, and an error. */
export const fewErrors = 0.002;
const manyErrors = 0.05;
// Fewer requests are no base for a share of errors.
const leastEnded = 20;

/** @typedef {"connecting" | "live" | "lost" | "login"} Connection */
/** @typedef {{level: number, text: string}} Problem level 2 is an error, 1 a warning */

/** @param {any} rollout undefined without one */
export const isRunning = (rollout) => rollout !== undefined &&
	!["ROLLOUT_PHASE_ABORTED", "ROLLOUT_PHASE_SUCCEEDED"].includes(rollout.phase);

/**
 * The bad verdicts of reports of shadows, in words.
 * @type {Record<string, string>}
 */
export const badVerdicts = { differs: "differs", late: "is late", unreachable: "is unreachable" };

export class Model {
	/** @type {Connection} */
	connection = "connecting";
	/** Why the connection was lost. */
	reason = "";
	/** When it was lost, in milliseconds. */
	lostSince = 0;
	/** Whether the page has a state to show, current or old. */
	hasState = false;
	/** How often the page has received the whole state. */
	snapshots = 0;
	revision = 0;
	/** @type {Map<string, any>} */
	endpoints = new Map();
	/**
	 * With the status on this server.
	 * @type {Map<string, any>}
	 */
	backends = new Map();
	/**
	 * The latest rollout of each endpoint.
	 * @type {Map<string, any>}
	 */
	rollouts = new Map();
	/**
	 * By number.
	 * @type {Map<number, any>}
	 */
	revisions = new Map();
	oldestRevision = 0;
	/** @type {any} */
	fleet = {};
	/** @type {{name?: string, role?: string, endpoints?: string[]}} */
	access = {};
	/**
	 * The present freeze of changes.
	 * @type {any}
	 */
	freeze = null;
	/**
	 * The reports of the shadows of endpoints, as far as the page has read them.
	 * @type {Map<string, any[]>}
	 */
	reports = new Map();
	series = new Series();
	/**
	 * The states of rollouts, oldest first.
	 * @type {Map<string, {started: string, states: any[]}>}
	 */
	evidence = new Map();
	/**
	 * Endpoints by the time of the last change that this page saw.
	 * @type {Map<string, number>}
	 */
	flashes = new Map();
	/**
	 * The backends of each endpoint in the order of their colours.
	 * @type {Map<string, string[]>}
	 */
	#palettes = new Map();

	/** Forgets all that another user may not see. */
	clear() {
		this.hasState = false;
		this.endpoints.clear();
		this.backends.clear();
		this.forgetHistory();
		this.series.clear();
		this.reports.clear();
		this.access = {};
		this.fleet = {};
		this.freeze = null;
	}

	/** Forgets what another history may not have. */
	forgetHistory() {
		this.revision = 0;
		this.revisions.clear();
		this.rollouts.clear();
		this.evidence.clear();
	}

	/**
	 * @param {any} message of Watch
	 * @param {number} now
	 */
	watched(message, now) {
		this.revision = number(message.revision);
		if (message.snapshot) {
			this.hasState = true;
			this.snapshots += 1;
			const endpoints = list(message.endpoints);
			const names = new Set(endpoints.map((each) => each.name));
			for (const name of this.endpoints.keys())
				if (!names.has(name)) this.endpoints.delete(name);
			const backends = new Set(list(message.backends).map((each) => each.name));
			for (const name of this.backends.keys())
				if (!backends.has(name)) this.backends.delete(name);
		} else {
			this.revisions.set(this.revision, {
				revision: this.revision,
				time: message.time,
				author: message.author,
				comment: message.comment,
				summary: message.summary,
			});
			if (this.revisions.size > keptRevisions) {
				this.revisions.delete(Math.min(...this.revisions.keys()));
			}
		}
		for (const endpoint of list(message.endpoints)) {
			if (!message.snapshot) this.flashes.set(endpoint.name, now);
			this.endpoints.set(endpoint.name, endpoint);
		}
		for (const name of list(message.deletedEndpoints)) this.endpoints.delete(name);
		for (const name of this.rollouts.keys()) {
			if (this.endpoints.has(name)) continue;
			this.rollouts.delete(name);
			this.evidence.delete(name);
		}
		for (const backend of list(message.backends)) {
			const status = this.backends.get(backend.name)?.status;
			const { descriptorSet, ...rest } = backend;
			this.backends.set(backend.name, { status, ...rest });
		}
		for (const name of list(message.deletedBackends)) this.backends.delete(name);
		this.series.keep((name) => this.endpoints.has(name));
	}

	/** @param {any} answer of ListRevisions */
	listed(answer) {
		for (const each of list(answer.revisions)) this.revisions.set(number(each.revision), each);
		if (answer.oldestRevision !== undefined) this.oldestRevision = number(answer.oldestRevision);
	}

	/** @param {any} answer of ListBackends */
	listedBackends(answer) {
		// An answer that was on its way during a change.
		if (number(answer.revision) < this.revision) return;
		for (const backend of list(answer.backends)) this.backends.set(backend.name, backend);
	}

	/** @param {any} rollout */
	rolled(rollout) { this.rollouts.set(rollout.endpoint, rollout); }

	/**
	 * Keeps the evidence of a rollout over time.
	 * @param {any} rollout a message of WatchRollout
	 * @param {number} now
	 */
	followed(rollout, now) {
		let kept = this.evidence.get(rollout.endpoint);
		if (!kept || kept.started !== rollout.started) {
			kept = { started: rollout.started, states: [] };
			this.evidence.set(rollout.endpoint, kept);
		}
		kept.states.push({ ...rollout, time: now });
		if (kept.states.length > keptEvidence) kept.states.splice(0, keptEvidence / 3);
	}

	/**
	 * The present state of an endpoint; its last one after it was deleted.
	 * @param {any} endpoint
	 */
	current(endpoint) { return this.endpoints.get(endpoint.name) ?? endpoint; }

	/** The change that made an endpoint as it is; null if it is not known.
	 * @param {any} endpoint */
	lastChange(endpoint) {
		return this.revisions.get(number(endpoint.revision)) ?? null;
	}

	/**
	 * Whether the caller may change an endpoint.
	 * @param {string} endpoint empty for all
	 */
	may(endpoint) {
		const { role, endpoints } = this.access;
		if (role === "ACCESS_ROLE_ADMIN") return true;
		if (role !== "ACCESS_ROLE_OPERATOR" || endpoint === "") return false;
		return !endpoints || endpoints.length === 0 || endpoints.includes(endpoint);
	}

	/**
	 * The backends of an endpoint in the order of their colours. A backend keeps its colour while the
	 * page is open.
	 * @param {any} endpoint
	 * @param {string[]} [more] further backends, for example those of the past
	 */
	palette(endpoint, more = []) {
		const known = this.#palettes.get(endpoint.name) ?? [];
		const added = [...this.names(endpoint),
			...[...more].sort(byName)].filter((each) => !known.includes(
			each));
		if (added.length > 0) {
			this.#palettes.set(endpoint.name, [...new Set([...known, ...added])]);
		}
		return this.#palettes.get(endpoint.name) ?? [];
	}

	/**
	 * The backends that an endpoint uses, sorted.
	 * @param {any} endpoint
	 */
	names(endpoint) {
		const names = [...list(endpoint.weights), ...list(endpoint.shadows)].map(
			(each) => each.backend);
		const rollout = this.rollouts.get(endpoint.name);
		if (isRunning(rollout)) names.push(rollout.plan?.candidate ?? "", ...list(rollout.baseline).map(
			(each) => each.backend));
		return [...new Set(names)].filter(Boolean).sort(byName);
	}

	/**
	 * What is wrong with an endpoint, worst first.
	 * @param {any} endpoint
	 */
	problems(endpoint) {
		/** @type {Problem[]} */
		const problems = [];
		const add = (/** @type {number} */ level, /** @type {string} */ text) => problems.push({ level,
			text });
		const now = figures(recent(this.series.endpoint(endpoint.name), 10));
		const level = (/** @type {number} */ errors) => errors >= manyErrors ? 2 :
			errors >= fewErrors ? 1
			: 0;
		if (now && level(now.errors) > 0) {
			add(level(now.errors), `${percent(now.errors)} errors in the last 10 s`);
			// A backend with a small weight can fail without many errors of the endpoint.
			for (const entry of list(endpoint.weights)) {
				const own = figures(recent(this.series.backend(endpoint.name, entry.backend), 10));
				if (own && own.ended >= leastEnded && own.errors >= manyErrors && own.errors > now.errors *
					1.5) {
					add(2, `${percent(own.errors)} errors of ${entry.backend}`);
				}
			}
		}
		if (now && now.limited > 0) add(1,
			`${rate(now.limited)} requests/s over the rate limit are rejected`);
		if (now && now.overloaded > 0) add(2,
			`${rate(now.overloaded)} requests/s are rejected because the server is overloaded`);
		for (const entry of list(endpoint.weights)) {
			const status = this.backends.get(entry.backend)?.status;
			if (!status || !(entry.weight > 0)) continue;
			const replicas = list(status.replicas);
			const down = replicas.filter((each) => each.state !== "REPLICA_STATE_READY").length;
			if (!status.usable) {
				add(2, `${entry.backend} is not usable`);
			} else if (down > 0) {
				add(1, `${down} of ${replicas.length} replicas of ${entry.backend} not ready`);
			}
			if (status.circuitOpen) add(1, `${entry.backend} rejects requests`);
		}
		for (const { backend } of list(endpoint.shadows)) {
			const report = this.reports.get(endpoint.name)?.find((each) => each.backend === backend);
			const bad = badVerdicts[word(report?.verdict, "SHADOW_VERDICT_")];
			if (bad) add(1, `shadow ${backend} ${bad}`);
		}
		const rollout = this.rollouts.get(endpoint.name);
		if (rollout?.phase === "ROLLOUT_PHASE_ABORTING") {
			add(2, "the rollout aborts");
		} else if (rollout?.phase === "ROLLOUT_PHASE_PAUSED") {
			add(1, "the rollout is paused");
		}
		if (endpoint.timeBox) add(1, "the weights will revert");
		return problems.sort((a, b) => b.level - a.level);
	}
}
