// The section of the limits of a server, and of what they rejected.

import { h } from "./dom.js";
import { byName, bytes, count, list, number, percent, rate, shown } from "./format.js";
import { figures, recent } from "./series.js";
import { card, cell, dim, quiet, rowHead, table, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */
/** @typedef {{name: string, labels: string, value: number}} Sample a line of `/metrics` */
/** The metrics that the section shows. */
export const limitMetrics = [
	"weir_limit", "weir_connections", "weir_connections_refused_total", "weir_requests_in_flight",
	"weir_requests_refused_total", "weir_endpoint_requests_refused_total", "weir_buffered_bytes",
	"weir_loop_lag_seconds", "process_open_fds", "process_max_fds",
];

/**
 * The samples of some metrics.
 * @param {string} text of `/metrics`
 * @param {(name: string) => boolean} isWanted
 */
export function samples(text, isWanted) {
	/** @type {Sample[]} */
	const found = [];
	for (const line of text.split("\n")) {
		const match = /^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)/.exec(line);
		const [, name = "", labels = "", value] = list(match);
		if (match && isWanted(name)) found.push({ name, labels, value: Number(value) });
	}
	return found;
}

/** The share of a limit from which its use is marked. */
const high = 0.8;

/**
 * The sum of the samples of a metric with a label; undefined without one.
 * @param {Sample[]} samples
 * @param {string} name
 * @param {string} [label]
 * @returns {number | undefined}
 */
export function total(samples, name, label = "") {
	const found = samples.filter((each) => each.name === name && each.labels.includes(label));
	return found.length === 0 ? undefined : found.reduce((sum, each) => sum + each.value, 0);
}

/** @param {number} value in seconds */
const milliseconds = (value) => `${count(value * 1000)} ms`;

/**
 * @typedef {object} Limit
 * @property {string} text
 * @property {number | undefined} used undefined if it is not measured
 * @property {number | undefined} bound
 * @property {number | undefined} rejected since the server's start
 * @property {(value: number) => string} [unit]
 * @property {string} [note]
 */

/**
 * The limits of the server with their use.
 * @param {Sample[]} samples
 */
export function serverLimits(samples) {
	const bound = (/** @type {string} */ name) => total(samples, "weir_limit", `limit="${name}"`);
	const refused = (/** @type {string} */ reason) => total(samples, "weir_requests_refused_total",
		`reason="${reason}"`);
	return [
		{ text: "connections", used: total(samples, "weir_connections"), bound: bound(
				"max-connections"),
			rejected: total(samples, "weir_connections_refused_total", 'port="data"') },
		{ text: "requests in flight", used: total(samples, "weir_requests_in_flight",
				'shadow="false"'), bound: bound("max-requests-in-flight-per-loop"),
			rejected: refused("requests"), note: "on each event loop" },
		{ text: "buffered bytes", used: total(samples, "weir_buffered_bytes"), bound: bound(
				"max-buffered-bytes"), rejected: refused("memory"), unit: bytes },
		{ text: "delay of the event loops", used: total(samples, "weir_loop_lag_seconds"), bound: bound(
				"max-queueing-delay"), rejected: refused("delay"), unit: milliseconds },
		{ text: "calls of blocking handlers", used: undefined, bound: bound("max-blocking-calls"),
			rejected: refused("blocking"), note: "on each event loop" },
		{ text: "open files", used: total(samples, "process_open_fds"), bound: total(samples,
				"process_max_fds"), rejected: undefined },
	];
}

/** @param {number | undefined} value */
const rejectedCell = (value) => cell(value === undefined ? "–" : count(value), (value ?? 0) > 0);

/**
 * @param {Page} page
 * @param {Sample[]} samples
 */
export function limitsSection(page, samples) {
	return card("limits", "Limits of this server",
		serverTable(samples), endpointsTable(page, samples), backendsTable(page));
}

/** @param {Sample[]} samples */
function serverTable(samples) {
	return table({ id: "server-limits", label: "", caption: "Server" },
		["limit", "#now", "#limit", "#used",
			"#rejected since the start"],
		serverLimits(samples).map((limit) => {
			const unit = limit.unit ?? count;
			const share = limit.used !== undefined && limit.bound ? limit.used / limit.bound : undefined;
			return h("tr", { key: limit.text }, rowHead(limit.text),
				cell(limit.used === undefined ? "–" : unit(limit.used)),
				cell(limit.bound === undefined ? "–" : [unit(limit.bound), limit.note ?
					dim(` ${limit.note}`) : null]),
				cell(share === undefined ? "–" : (share >= high ? [percent(share), " ▲"] :
					percent(share)), (share ?? 0) >= high),
				rejectedCell(limit.rejected));
		}));
}

/**
 * The endpoints with a rate limit, or with rejected requests.
 * @param {Page} page
 * @param {Sample[]} samples
 */
function endpointsTable(page, samples) {
	const { model } = page;
	const refused = samples.filter((each) => each.value > 0 && each.name ===
		"weir_endpoint_requests_refused_total");
	const rows = [...model.endpoints.values()].sort((a, b) => byName(a.name, b.name)).map((
		endpoint) => ({
		endpoint,
		now: figures(recent(model.series.endpoint(endpoint.name), 10)),
		rejected: total(refused, "weir_endpoint_requests_refused_total",
			`endpoint="${endpoint.name}",`) ?? 0,
	})).filter(({ endpoint, now, rejected }) => endpoint.rateLimit || rejected > 0 ||
		(now?.limited ?? 0) + (now?.overloaded ?? 0) > 0);
	if (rows.length === 0) return quiet("No endpoint has a rate limit.");
	return table({ id: "endpoint-limits", label: "",
			caption: "Endpoints: requests that were rejected before a backend was chosen" },
		["endpoint", "#admitted/s", "#rate limit/s", "#burst", "#over it/s", "#overload/s",
			"#rejected since the start"
		], rows.map(({ endpoint, now, rejected }) => {
			const limit = endpoint.rateLimit;
			const burst = limit?.burst || Math.ceil(limit?.requestsPerSecond ?? 0);
			return h("tr", { key: endpoint.name }, rowHead(h("a", {
					href: `#/endpoint/${encodeURIComponent(endpoint.name)}` }, text(endpoint.name))),
				cell(now ? rate(now.rate) : "–"),
				cell(limit ? rate(limit.requestsPerSecond) : "none"),
				cell(limit ? count(burst) : "–"),
				cell(rate(now?.limited ?? 0)),
				cell(rate(now?.overloaded ?? 0)), rejectedCell(rejected));
		}));
}

/**
 * The backends of replicas that have limits, waiting requests or rejections.
 * @param {Page} page
 */
function backendsTable(page) {
	const rows = [...page.model.backends.values()].sort((a, b) => byName(a.name, b.name))
		.filter(({ status, options }) => status && (number(options?.maxRequestsInFlight) > 0 ||
			number(options?.maxRequestsPerReplica) > 0 || number(status.waiting) > 0 ||
			list(status.refused).length > 0 || number(status.retriesDenied) > 0));
	if (rows.length === 0) return null;
	const bound = (/** @type {unknown} */ value) => number(value) > 0 ? count(value) : "none";
	return table({ id: "backend-limits", label: "", caption: "Backends" },
		["backend", "#in flight", "#limit", "#limit of a replica",
		"#waiting", "#retries denied", "#rejected since the start"
	], rows.map(({ name, status, options }) => h("tr", { key: name },
		rowHead(text(name), status.circuitOpen ? h("span", { class: "problem level-1" },
			"rejects requests now") : null),
		cell(count(status.inFlight)), cell(bound(options?.maxRequestsInFlight)),
		cell(bound(options?.maxRequestsPerReplica)),
		cell(count(status.waiting)), cell(count(status.retriesDenied)),
		cell(list(status.refused).map((each) =>
			`${count(each.count)} ${shown(each.name, 40)}`).join(", ") || "0",
			list(status.refused).length > 0))));
}
