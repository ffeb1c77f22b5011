// Sections of the page of an endpoint: affinity map and flow.

import { h } from "./dom.js";
import { list, number, percent, plural, rate, weight } from "./format.js";
import { backendLabel, flow, splitBar, strip } from "./plots.js";
import { moves, parts } from "./policy.js";
import { figures, recent } from "./series.js";
import { card, cell, details, dim, quiet, rowHead, table, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

/** The map of an endpoint before its last change, as far as this page saw it.
 * @type {Map<string, {revision: string, intervals: any[], before: any[] | null}>} */
const maps = new Map();

/**
 * The map before the last change; null if it did not change, or is not known yet.
 * @param {Page} page
 * @param {any} endpoint
 */
function previousMap(page, endpoint) {
	const known = maps.get(endpoint.name);
	const intervals = list(endpoint.intervals);
	if (known && known.revision === endpoint.revision) return known.before;
	/** @type {{revision: string, intervals: any[], before: any[] | null}} */
	const made = { revision: endpoint.revision, intervals, before: null };
	maps.set(endpoint.name, made);
	const keep = (/** @type {any[]} */ before) => {
		if (moves(parts(before), parts(intervals)).length > 0) made.before = before;
	};
	if (known) {
		keep(known.intervals);
	} else if (number(endpoint.revision) > 1) {
		const revision = String(number(endpoint.revision) - 1);
		page.client.call("GetRevision", { revision }).then((response) => {
			const before = list(response.endpoints).find((each) => each.name === endpoint.name);
			if (before) keep(list(before.intervals));
			page.changed();
		}, () => {});
	}
	return made.before;
}

/**
 * Weights and the affinity map.
 * @param {Page} page
 * @param {any} endpoint
 */
export function mapSection(page, endpoint) {
	const names = page.model.palette(endpoint);
	const now = parts(list(endpoint.intervals));
	const before = previousMap(page, endpoint);
	const old = before ? parts(before) : null;
	const moved = old ? moves(old, now) : [];
	const share = moved.reduce((sum, each) => sum + each.to - each.from, 0);
	return card("", "Split and affinity map",
		splitBar(names, list(endpoint.weights)),
		quiet("Each shard key has a fixed place on this strip; its backend answers it."),
		old ? strip(names, old, { next: now, moves: moved,
			label: `the key space before and after the last change: ${percent(share)} moved` }) :
		strip(names, now, { label: `the key space in ${now.length} parts` }),
		old ? h("p", null, `The last change moved `, h("b", null, percent(share)),
			` of the keys (outlined): above before, below after.`) : null,
		details(`${plural(now.length, "part")} as a table`,
			table({ label: "Parts of the affinity map", class: "" }, ["backend", "#from", "#to",
				"#share"], now.map((part) => h("tr", null, rowHead(backendLabel(names,
					part.backend)),
				cell(`${(part.from * 100).toFixed(2)} %`),
				cell(`${(part.to * 100).toFixed(2)} %`),
				cell(percent(part.to - part.from)))))),
		moved.length > 0 ? details(`${plural(moved.length, "part")} moved`,
			table({ label: "Parts that moved", class: "" }, ["from", "to", "#share"],
				moved.map((each) => h(
				"tr", null, h("td", null, backendLabel(names, each.before)),
				h("td", null, backendLabel(names, each.after)),
				cell(percent(each.to - each.from)))))) : null);
}

/**
 * The flow of the last 10 seconds.
 * @param {Page} page
 * @param {any} endpoint
 */
export function flowSection(page, endpoint) {
	const { model } = page;
	const names = model.palette(endpoint);
	const rows = list(endpoint.weights).map((each) => {
		const now = figures(recent(model.series.backend(endpoint.name, each.backend), 10));
		const backend = model.backends.get(each.backend);
		// A handler answers in the process of the server.
		const replicas = backend?.handler ? [{ name: "this server", state: "REPLICA_STATE_READY" }] :
			list(backend?.status?.replicas);
		const total = replicas.reduce((/** @type {number} */ sum, one) => sum +
			number(one.requests), 0);
		return {
			backend: each.backend,
			rate: now?.rate ?? 0,
			weight: each.weight ?? 0,
			text: `${rate(now?.rate ?? 0)} requests/s`,
			share: 0,
			replicas: replicas.slice(0, 32).map((one) => ({
				name: one.name,
				share: total > 0 ? number(one.requests) / total : 0,
				ready: one.state === "REPLICA_STATE_READY",
				requests: number(one.requests),
				all: total,
			})),
		};
	});
	const total = rows.reduce((/** @type {number} */ sum, row) => sum + row.rate, 0);
	for (const row of rows) row.share = total > 0 ? row.rate / total : row.weight;
	return card("", "Flow of requests",
		h("div", { class: "flow-heads quiet", "aria-hidden": "true" }, h("span", null, "keys"), h(
			"span", null, "backends"), h("span", null, "replicas")),
		flow(names, rows),
		table({ id: "flow", label: "Flow of requests" }, ["backend", "#weight", "#share, last 10 s",
				"#requests/s", "replicas (share of all their requests)"],
			rows.map((row) => h("tr", { key: row.backend }, rowHead(backendLabel(names, row.backend)),
				cell(weight(row.weight)),
				cell(total > 0 ? percent(row.share) : "–"), cell(rate(row.rate)),
				h("td", null, row.replicas.length === 0 ? dim("none") :
					row.replicas.map((one, /** @type {number} */ index) => [
						index > 0 ? ", " : "", text(one.name, 80),
						` ${one.all > 0 ? percent(one.share) : ""}`, one.ready ? "" : " (not ready)"
					]))))));
}

