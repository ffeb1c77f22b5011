// Figures over time, from the messages of WatchStats. Pure.

import { list, number } from "./format.js";

/** The seconds that are kept. */
export const keptSeconds = 300;
/** The milliseconds by which figures of the past overlap known ones. */
const mostOverlap = 30_000;

/** The statuses that are the server's fault, as rollouts judge. */
const serverFaults = new Set([
	"UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS"
]);

/**
 * The figures of one interval of one backend of an endpoint, or of a whole endpoint.
 * @typedef {object} Point
 * @property {number} time the end, in milliseconds
 * @property {number} seconds
 * @property {number} requests
 * @property {number} ended
 * @property {number} faults
 * @property {number} rejected ended with another status than OK that is not a fault
 * @property {number} p50
 * @property {number} p99
 * @property {number} limited of a whole endpoint: refused by its rate limit, before a backend
 * @property {number} overloaded the same by a limit of the server
 */

/** @typedef {{requests: number, rate: number, errors: number, rejected: number, p50: number,
 *  p99: number, seconds: number, ended: number, limited: number,
 *  overloaded: number}} Figures the last two per second */

/**
 * @param {any} entry
 * @param {number} time
 * @param {number} seconds
 */
export function point(entry, time, seconds) {
	let ended = 0;
	let ok = 0;
	let faults = 0;
	for (const status of list(entry.statuses)) {
		const amount = number(status.count);
		ended += amount;
		if (status.name === "OK") ok += amount;
		else if (serverFaults.has(status.name)) faults += amount;
	}
	return {
		time,
		seconds,
		requests: number(entry.requests),
		ended,
		faults,
		rejected: ended - ok - faults,
		p50: number(entry.latency?.p50Us),
		p99: number(entry.latency?.p99Us),
		limited: 0,
		overloaded: 0,
	};
}

/** What adds up over backends. */
const counted = /** @type {const} */ ([
	"requests", "ended", "faults", "rejected", "limited", "overloaded",
]);

/** @param {Point[]} points of the same interval */
function joined(points) {
	const sum = /** @type {Point} */ ({ ...points[0] });
	for (const next of points.slice(1)) for (const each of counted) sum[each] += next[each];
	return sum;
}

/**
 * The figures of points together. The latencies are means over the intervals, weighted by requests.
 * @param {Point[]} points
 * @returns {Figures | null} null without points
 */
export function figures(points) {
	if (points.length === 0) return null;
	const sum = { seconds: 0, requests: 0, ended: 0, faults: 0, rejected: 0, limited: 0,
		overloaded: 0, p50: 0, p99: 0 };
	for (const each of points) {
		for (const name of counted) sum[name] += each[name];
		sum.seconds += each.seconds;
		sum.p50 += each.p50 * each.ended;
		sum.p99 += each.p99 * each.ended;
	}
	const ended = Math.max(1, sum.ended);
	const perSecond = (/** @type {number} */ sumOf) => (sum.seconds > 0 ? sumOf / sum.seconds : 0);
	return {
		...sum,
		rate: perSecond(sum.requests),
		errors: sum.faults / ended,
		rejected: sum.rejected / ended,
		p50: sum.p50 / ended,
		p99: sum.p99 / ended,
		limited: perSecond(sum.limited),
		overloaded: perSecond(sum.overloaded),
	};
}

const none = { time: 0, received: 0, connections: 0, unrouted: 0, requests: 0 };

/** The points of all endpoints and their backends. */
export class Series {
	/** @type {Map<string, Point[]>} */
	#backends = new Map();
	/** @type {Map<string, Point[]>} */
	#endpoints = new Map();
	/** The figures of the server's latest interval. */
	latest = none;

	/**
	 * @param {any} stats a message of WatchStats
	 * @param {number} [received] the time of the page's clock
	 */
	add(stats, received) {
		const time = Date.parse(stats.time ?? "") || 0;
		// The clock of the server has gone back.
		if (time < this.latest.time - mostOverlap) this.clear();
		const seconds = number(stats.seconds);
		/** @type {Map<string, Point[]>} */
		const endpoints = new Map();
		let requests = 0;
		for (const entry of list(stats.backends)) {
			if (entry.shadow) continue;
			const next = point(entry, time, seconds);
			this.#append(this.#backends, `${entry.endpoint}\n${entry.backend}`, next);
			requests += next.requests;
			const others = endpoints.get(entry.endpoint);
			if (others) others.push(next);
			else endpoints.set(entry.endpoint, [next]);
		}
		const whole = new Map(list(stats.endpoints).map((each) => [each.endpoint, each]));
		for (const [name, points] of endpoints) {
			const own = whole.get(name);
			this.#append(this.#endpoints, name, {
				...joined(points),
				p50: number(own?.latency?.p50Us),
				p99: number(own?.latency?.p99Us),
				limited: number(own?.rateLimited),
				overloaded: number(own?.overloaded),
			});
		}
		if (time <= this.latest.time) return;
		this.latest = {
			time,
			received: received ?? time,
			connections: number(stats.connections),
			unrouted: number(stats.unrouted),
			requests: seconds > 0 ? requests / seconds : 0,
		};
	}

	/**
	 * @param {Map<string, Point[]>} series
	 * @param {string} key
	 * @param {Point} next
	 */
	#append(series, key, next) {
		const points = series.get(key);
		if (!points) {
			series.set(key, [next]);
			return;
		}
		// After a reconnection, the figures of the past overlap those of before.
		if (next.time <= (points.at(-1)?.time ?? 0)) return;
		points.push(next);
		const oldest = next.time - keptSeconds * 1000;
		// In batches, because removing from the front moves all.
		if (points.length > 64 && (points[32]?.time ?? 0) < oldest) points.splice(0, 32);
	}

	/**
	 * Forgets what no longer exists.
	 * @param {(endpoint: string) => boolean} exists
	 */
	keep(exists) {
		for (const series of [this.#backends, this.#endpoints]) {
			for (const key of series.keys()) {
				if (!exists(key.split("\n")[0] ?? "")) series.delete(key);
			}
		}
	}

	/**
	 * The seconds until now whose figures are missing, at most those that are kept.
	 * @param {number} now of the page's clock, in milliseconds
	 */
	missing(now) {
		const seconds = Math.ceil((now - this.latest.received) / 1000);
		return Math.min(Math.max(seconds, 0), keptSeconds);
	}

	clear() {
		this.latest = none;
		this.#backends.clear();
		this.#endpoints.clear();
	}

	/**
	 * @param {string} endpoint
	 * @returns {Point[]} oldest first
	 */
	endpoint(endpoint) { return this.#endpoints.get(endpoint) ?? []; }

	/**
	 * @param {string} endpoint
	 * @param {string} backend
	 */
	backend(endpoint, backend) { return this.#backends.get(`${endpoint}\n${backend}`) ?? []; }

	/**
	 * The backends that answered requests of an endpoint.
	 * @param {string} endpoint
	 */
	backends(endpoint) {
		const start = `${endpoint}\n`;
		return [...this.#backends.keys()].filter((key) => key.startsWith(start))
			.map((key) => key.slice(start.length));
	}
}

/** @param {Point} each of a plot, so it is not very short */
export const rateOf = (each) => each.requests / each.seconds;

/** @param {Point} each */
export const errorsOf = (each) => each.faults / Math.max(1, each.ended);

/**
 * The points that a plot shows. The rate of a very short interval says nothing.
 * @param {Point[]} points
 */
export const plotted = (points) => points.filter((each) => each.seconds >= 0.5);

/**
 * The points before a time and since then. An interval that contains the time counts as before.
 * @param {Point[]} points
 * @param {number} time in milliseconds
 * @returns {{before: Figures | null, since: Figures | null}}
 */
export function around(points, time) {
	const isBefore = (/** @type {Point} */ each) => each.time - each.seconds * 1000 < time;
	return {
		before: figures(points.filter(isBefore)),
		since: figures(points.filter((each) => !isBefore(each))),
	};
}

/**
 * The latest points of a time span.
 * @param {Point[]} points
 * @param {number} seconds
 */
export function recent(points, seconds) {
	const oldest = (points.at(-1)?.time ?? 0) - seconds * 1000;
	let start = points.length;
	while (start > 0 && (points[start - 1]?.time ?? 0) > oldest) start -= 1;
	return points.slice(start);
}

/**
 * The shares of backends of the requests over time.
 * @typedef {{from: number, to: number, requests: number, shares: number[]}} Split
 */

/**
 * The split of the requests of each interval, oldest first. Intervals without requests are left
 * out.
 * @param {Point[][]} backends the points of each backend
 * @param {number} since in milliseconds
 */
export function splits(backends, since) {
	/** @type {Map<number, Split & {counts: number[]}>} */
	const found = new Map();
	backends.forEach((points, index) => {
		for (const each of points) {
			if (each.time <= since) continue;
			let split = found.get(each.time);
			if (!split) {
				const from = Math.max(since, each.time - each.seconds * 1000);
				split = { from, to: each.time, requests: 0, shares: [], counts: backends.map(() => 0) };
				found.set(each.time, split);
			}
			split.counts[index] = each.requests;
			split.requests += each.requests;
		}
	});
	return [...found.values()].filter((each) => each.requests > 0).sort((a, b) => a.to - b.to)
		.map(({ counts, ...rest }) => ({ ...rest,
			shares: counts.map((count) => count / rest.requests) }));
}

/**
 * Splits in spans of equal length, for a table.
 * @param {Split[]} all
 * @param {number} seconds
 */
export function spans(all, seconds) {
	/** @type {Map<number, Split[]>} */
	const groups = new Map();
	for (const each of all) {
		const key = Math.floor(each.to / seconds / 1000);
		groups.set(key, [...(groups.get(key) ?? []), each]);
	}
	return [...groups.values()].map((group) => {
		const requests = group.reduce((sum, each) => sum + each.requests, 0);
		const shares = (group[0]?.shares ?? []).map((_, index) => group.reduce((sum, each) => sum +
			(each.shares[index] ?? 0) * each.requests, 0) / requests);
		return { from: group[0]?.from ?? 0, to: group.at(-1)?.to ?? 0, requests, shares };
	});
}
