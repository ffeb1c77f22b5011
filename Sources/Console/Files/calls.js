// The page of single calls: those of an endpoint as they end, and those of a trace.

import { messageOf } from "./api.js";
import { box, check, select } from "./controls.js";
import { h } from "./dom.js";
import { byName, clock, count, latency, list, number, plural, shown } from "./format.js";
import { backendLabel } from "./plots.js";
import { cell, dim, failure, quiet, rowHead, table, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

const kept = 200;
const statuses = [
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
	"OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];

/** What the tap selects. */
const filter = { backend: "", status: "", key: "", shadows: false };

/**
 * The open or last tap. `number` counts its calls.
 * @type {{endpoint: string, calls: {number: number, call: any}[], number: number, dropped: number,
 *  problem: string, controller: AbortController | null, isOpen: boolean}}
 */
let tap = { endpoint: "", calls: [], number: 0, dropped: 0, problem: "", controller: null,
	isOpen: false };

/** Whether the tap waits until the page is visible again. */
let isPaused = false;

/** Ends the tap, because the page is left or another tap begins. */
export function stopTap() {
	isPaused = false;
	findProblem = "";
	tap.controller?.abort();
	tap.controller = null;
	tap.isOpen = false;
}

/** Ends the tap while the page is hidden. */
export function pauseTap() {
	const isRunning = tap.controller !== null;
	stopTap();
	isPaused = isRunning;
}

/**
 * Continues the tap that was paused.
 * @param {Page} page
 */
export function resumeTap(page) {
	if (isPaused) startTap(page, tap.endpoint, tap);
}

/** @param {string} text */
function base64(text) {
	return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/**
 * @param {Page} page
 * @param {string} endpoint
 * @param {Pick<typeof tap, "calls" | "number" | "dropped">} [past] the calls that it continues
 */
async function startTap(page, endpoint, past = { calls: [], number: 0, dropped: 0 }) {
	stopTap();
	const controller = new AbortController();
	const { calls, number: known, dropped } = past;
	/** @type {typeof tap} */
	const mine = { endpoint, calls, number: known, dropped, problem: "", controller,
		isOpen: false };
	tap = mine;
	page.changed();
	const request = {
		endpoint,
		backends: filter.backend ? [filter.backend] : [],
		statuses: filter.status ? [filter.status] : [],
		shardKey: base64(filter.key),
		shadows: filter.shadows,
		callsPerSecond: 50,
	};
	try {
		for await (const response of page.client.stream("Tap", request, controller.signal)) {
			mine.isOpen = true;
			mine.dropped += number(response.dropped);
			if (response.call) {
				mine.number += 1;
				mine.calls.unshift({ number: mine.number, call: response.call });
				mine.calls.length = Math.min(kept, mine.calls.length);
			}
			page.changed();
		}
		if (!controller.signal.aborted) mine.problem = "the server has ended the stream";
	} catch (error) {
		if (!controller.signal.aborted) mine.problem = messageOf(error);
	}
	mine.controller = null;
	mine.isOpen = false;
	page.changed();
}

/**
 * The time of day, to the millisecond.
 * @param {string | undefined} time
 */
const clockTime = (time) => clock(time).slice(11) +
	(/\.\d{3}/.exec(time ?? "")?.[0] ?? ".000");

/**
 * @param {string} id
 * @param {string[]} names of the backends, for their colours
 * @param {{number: number, call: any}[]} calls
 */
function callsTable(id, names, calls) {
	/** @param {any} call */
	const attempts = (call) => list(call.failedAttempts).map((each) =>
		`${each.replica || "handler"}: ${each.status || "not processed"} after ` +
		latency(each.durationUs));
	return h("section", { class: "card" }, table({ id, label: "Calls" },
		["time", "status", "backend and replica", "#attempts",
			"#duration", "#queue", "#upstream", "#response", "method", "trace"],
		calls.map(({ number: key, call }) => h("tr", { key: String(key) },
			rowHead(h("time", { datetime: call.time ?? "" }, call.time ? clockTime(call.time) : "–")),
			h("td", null, h("span", {
					class: call.status === "OK" ? "" : "problem level-2",
				}, shown(call.status, 40)),
				call.message ? dim(" ", text(call.message, 200)) : null),
			h("td", null, call.backend ? backendLabel(names, call.backend) :
				"–", call.shadow ? dim(" shadow") : null,
				call.replica ? h("span", { class: "code quiet" }, " ", text(call.replica, 128)) : null),
			h("td", { class: "number", "data-label": "attempts", title: attempts(call).join("\n") },
				count(call.attempts)),
			cell(latency(call.durationUs)), cell(latency(call.queueUs)),
			cell(latency(call.upstreamUs)), cell(latency(call.responseUs)),
			h("td", { class: "code" }, text(call.method, 200)),
			h("td", { class: "code" }, call.traceId ? h("a", {
				href: `#/trace/${call.traceId}`, title: call.traceId }, call.traceId.slice(0, 8)) :
				"–")))));
}

/**
 * @param {Page} page
 * @param {string} name of the endpoint; empty for none
 */
export function callsPage(page, name) {
	const { model } = page;
	const names = [...model.endpoints.keys()].sort(byName);
	const endpoint = model.endpoints.get(name);
	const may = name !== "" && model.may(name);
	const isRunning = tap.controller !== null && tap.endpoint === name;
	const listed = tap.endpoint === name ? tap.calls : [];
	const backends = endpoint ? model.names(endpoint) : [];
	const colours = endpoint ? model.palette(endpoint) : [];
	/** @param {"backend" | "status" | "key"} name */
	const set = (name) => (/** @type {string} */ value) => {
		filter[name] = value;
		page.changed();
	};
	return [
		h("div", { class: "title" }, h("h1", null, "Calls"), h("p", { class: "summary" },
			"as they end on this server")),
		h("form", {
			class: "card calls",
			id: "tap",
			onsubmit: (/** @type {Event} */ event) => {
				event.preventDefault();
				if (isRunning) {
					stopTap();
					page.changed();
				} else {
					startTap(page, name);
				}
			},
		},
			select("Endpoint", { name: "endpoint", value: name }, names, (value) => {
				stopTap();
				location.hash = `#/calls/${encodeURIComponent(value)}`;
			}),
			select("Backend", { name: "backend", value: filter.backend, disabled: isRunning }, backends,
				set("backend"), "all"),
			select("Status", { name: "status", value: filter.status, disabled: isRunning }, statuses,
				set("status"), "all"),
			box("Shard key", { type: "text", name: "key", value: filter.key, disabled: isRunning },
				set("key")),
			check("Shadow copies", { name: "shadows", checked: filter.shadows, disabled: isRunning },
				(is) => { filter.shadows = is;
					page.changed(); }),
			h("button", { type: "submit", class: "primary", disabled: !may }, isRunning ? "Stop" :
				"Watch")),
		name !== "" && !may ? quiet("Watching calls needs the role operator for this endpoint.") : null,
		tap.endpoint === name && tap.problem ? failure(tap.problem) : null,
		tap.endpoint === name && (isRunning || listed.length > 0) ? h("p", { id: "tap-state",
			class: "quiet" }, isRunning ? tap.isOpen ? "Watching. " : "Connecting … " : "Stopped. ",
			plural(tap.number, "call"), tap.number > kept ? `, the latest ${kept} are shown` : "",
			tap.dropped > 0 ? `, ${count(tap.dropped)} dropped by the server` : "") : null,
		listed.length > 0 ? callsTable("calls", colours, listed) : null,
		traceForm(page, ""),
	];
}

// Traces.

/** @type {{id: string, calls: any[] | null, problem: string}} */
let trace = { id: "", calls: null, problem: "" };

/** @param {string} text */
function traceID(text) {
	const parts = text.trim().toLowerCase().split("-");
	return (parts.length >= 4 ? parts[1] : parts[0]) ?? "";
}

/** Why the form does not find a trace. */
let findProblem = "";

/**
 * @param {Page} page
 * @param {string} id
 */
function traceForm(page, id) {
	return h("form", {
		class: "card calls",
		id: "find-trace",
		onsubmit: (/** @type {Event} */ event) => {
			event.preventDefault();
			const form = /** @type {HTMLFormElement} */ (event.target);
			const input = /** @type {HTMLInputElement} */ (form.elements.namedItem("trace"));
			const wanted = traceID(input.value);
			const isValid = /^[0-9a-f]{32}$/.test(wanted);
			findProblem = isValid ? "" :
				"Enter a trace id, which has 32 hexadecimal digits, or a traceparent.";
			if (isValid) location.hash = `#/trace/${wanted}`;
			page.changed();
		},
	}, h("label", { class: "field wide" }, "Trace id or traceparent", h("input", {
		type: "text", name: "trace", autocomplete: "off", spellcheck: "false",
		...(id ? { placeholder: id } : {}) })), h("button", { type: "submit" }, "Find"),
		findProblem ? failure(findProblem) : null);
}

/**
 * Reads the calls of a trace.
 * @param {Page} page
 * @param {string} id
 */
export async function readTrace(page, id) {
	if (trace.id !== id) trace = { id, calls: null, problem: "" };
	const mine = trace;
	try {
		const response = await page.client.call("GetTrace", { traceId: id });
		mine.calls = list(response.calls);
		mine.problem = "";
	} catch (error) {
		mine.problem = messageOf(error);
	}
	page.changed();
}

/**
 * @param {Page} page
 * @param {string} id
 */
export function tracePage(page, id) {
	const found = trace.id === id ? trace : { calls: null, problem: "" };
	const calls = list(found.calls);
	const endpoint = page.model.endpoints.get(calls[0]?.endpoint);
	const names = endpoint ? page.model.palette(endpoint) : [];
	return [
		h("nav", { class: "crumbs", "aria-label": "Path" }, h("a", { href: "#/calls" }, "Calls"),
			" / trace"),
		h("div", { class: "title" }, h("h1", null, "Trace"),
			h("p", { class: "quiet code" }, text(id, 64))),
		found.problem ? failure(found.problem) : found.calls === null ? quiet("Reading …") :
		calls.length === 0 ? h("p", { id: "no-trace" },
			"This server has no call of this trace. It keeps only the latest calls that were sampled or that failed.") :
		callsTable("trace", names, calls.map((call, index) => ({ number: index, call }))),
		traceForm(page, id),
	];
}
