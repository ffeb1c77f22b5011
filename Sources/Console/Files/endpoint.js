// The page of one endpoint.

import { confirmTraffic, setRateLimit, setShadow, setTraffic, undo } from "./actions.js";
import { changesSection } from "./changes.js";
import { button } from "./controls.js";
import { startRollout } from "./decisions.js";
import { h } from "./dom.js";
import { ago, byName, clock, count, latency, list, number, percent, plural, rate, shown,
	word } from "./format.js";
import { isRunning } from "./model.js";
import { backendLabel, sparkline } from "./plots.js";
import { rolloutSection } from "./rollout.js";
import { around, errorsOf, figures, point, rateOf, recent } from "./series.js";
import { shadowsSection } from "./shadows.js";
import { splitSection } from "./split.js";
import { card, cell, dim, quiet, rowHead, table, text } from "./table.js";
import { flowSection, mapSection } from "./traffic.js";

/** @typedef {import("./dialog.js").Page} Page */

const plotSeconds = 300;
// Fewer requests are no base for a comparison.
const leastEnded = 50;

/**
 * @param {Page} page
 * @param {string} name
 */
export function endpointPage(page, name) {
	const { model } = page;
	const endpoint = model.endpoints.get(name);
	if (!endpoint) {
		return [h("h1", null, text(name)), h("p", null,
			"This endpoint does not exist."),
			h("p", null, h("a", { href: "#/" }, "All endpoints"))
		];
	}
	const problems = model.problems(endpoint);
	const change = model.lastChange(endpoint);
	if (!change) page.learn(number(endpoint.revision));
	const may = model.may(name);
	const rollout = model.rollouts.get(name);
	const hasRollout = isRunning(rollout);
	/**
	 * @param {string} label
	 * @param {(page: Page, endpoint: any) => void} act
	 */
	const action = (label, act) => button(label, () => act(page, model.current(endpoint)),
		{ key: label });
	return [
		h("nav", { class: "crumbs", "aria-label": "Path" }, h("a", { href: "#/" }, "Endpoints"),
			" / ", text(name)),
		h("div", { class: "title" }, h("h1", null, text(name)),
			h("p", { class: "quiet code" }, h("bdi", null, shown(endpoint.route) ||
				"called by name only"))),
		may ? h("p", null, h("a", { href: `#/calls/${encodeURIComponent(name)}` },
			"Watch its calls")) : null,
		problems.length > 0 ? h("ul", { class: "problems" }, problems.map((each) => h(
			"li", { key: each.text, class: `problem level-${each.level}` }, each.text))) : null,
		h("p", { class: "last" }, "Last change: ", change?.time ? [
			h("b", null, text(change.summary, 300)), " ",
			h("time", { datetime: change.time, title: clock(change.time) }, ago(change.time)),
			" by ", text(change.author, 128), ` (revision ${change.revision})`,
			change.comment ? h("q", { class: "comment" }, text(change.comment, 300)) : null,
		] : `revision ${endpoint.revision}`),
		may ? h("div", { class: "actions", role: "group", "aria-label": "Actions" },
			action("Undo …", undo), endpoint.timeBox?.confirmable ? action("Keep weights …",
				confirmTraffic) : null,
			action("Set traffic …", setTraffic), action("Shadow …", (p, e) => setShadow(p, e)),
			hasRollout ? null : action("Start rollout …", startRollout), action("Rate limit …",
				setRateLimit)) : quiet("You may view this endpoint, but not change it."),
		endpoint.timeBox ? h("p", { class: "notice" },
			`The weights revert at ${clock(endpoint.timeBox.reverts)}.`) : null,
		endpoint.rateLimit ? quiet(`Rate limit: ${rate(endpoint.rateLimit.requestsPerSecond)} requests/s` +
			` on each server, burst ${count(endpoint.rateLimit.burst || Math.ceil(endpoint.rateLimit.requestsPerSecond))}`
			) : null,
		comparisonSection(page, endpoint, change),
		splitSection(page, endpoint),
		mapSection(page, endpoint),
		rollout ? rolloutSection(page, endpoint, rollout) : null,
		flowSection(page, endpoint),
		replicasSection(page, endpoint),
		shadowsSection(page, endpoint),
		changesSection(page, endpoint),
	];
}

/**
 * The figures since the start of the server, by endpoint and backend; empty for the whole endpoint.
 * @type {Map<string, import("./series.js").Figures | null>}
 */
const totals = new Map();

/**
 * Reads the figures since the start of the server.
 * @param {Page} page
 * @param {string} endpoint
 */
export async function readTotals(page, endpoint) {
	if (!page.model.endpoints.has(endpoint)) return;
	const stats = await page.client.call("GetStats", { endpoint });
	for (const each of list(stats.backends)) {
		if (each.shadow) continue;
		const all = point(each, Date.parse(stats.time ?? ""), number(stats.seconds));
		totals.set(`${endpoint}\n${each.backend}`, figures([all]));
	}
	const refused = list(stats.endpoints)[0] ?? {};
	const none = point({}, Date.parse(stats.time ?? ""), number(stats.seconds));
	totals.set(`${endpoint}\n`, figures([{ ...none, limited: number(refused.rateLimited),
		overloaded: number(refused.overloaded) }]));
}

/**
 * The figures of each backend since the last change, and before.
 * @param {Page} page
 * @param {any} endpoint
 * @param {any} change
 */
function comparisonSection(page, endpoint, change) {
	const { model } = page;
	const names = model.palette(endpoint, model.series.backends(endpoint.name));
	const time = Date.parse(change?.time ?? "") || 0;
	const listed = [...new Set([...list(endpoint.weights).map((each) => each.backend),
		...model.series.backends(endpoint.name)
	])].sort(byName);
	const to = model.series.endpoint(endpoint.name).at(-1)?.time ?? 0;
	const range = { from: to - plotSeconds * 1000, to };
	const all = around(model.series.endpoint(endpoint.name), time);
	/**
	 * @param {string} label
	 * @param {import("./series.js").Figures | null} value
	 * @param {import("./series.js").Figures | null} base
	 * @param {string} kind
	 */
	const cells = (label, value, base, kind) => {
		if (!value || value.ended === 0) {
			return h("tr", { key: kind, class: kind }, rowHead(label),
				h("td", { class: "number", colspan: 5 }, dim(value ? "no requests ended" : "–")));
		}
		const isWorse = base && base.ended > leastEnded && value.errors > base.errors * 2 + 0.005;
		const isSlower = base && base.ended > leastEnded && base.p99 > 0 && value.p99 > base.p99 * 2 + 1000;
		return h("tr", { key: kind, class: kind }, rowHead(label),
			cell(rate(value.rate)),
			cell(`${percent(value.errors)}${isWorse ? " ▲" : ""}`, Boolean(isWorse)),
			cell(percent(value.rejected)), cell(latency(value.p50)),
			cell(`${latency(value.p99)}${isSlower ? " ▲" : ""}`, Boolean(isSlower)));
	};
	/**
	 * @param {import("./dom.js").Loose} head
	 * @param {import("./series.js").Point[]} points
	 * @param {string} key
	 */
	const group = (head, points, key) => {
		const { before, since } = around(points, time);
		// A backend that is new is compared with the whole endpoint.
		const base = before && before.ended > leastEnded ? before : all.before ?? all.since;
		const marks = time > 0 ? [time] : [];
		/**
		 * @param {string} label
		 * @param {(each: import("./series.js").Point) => number} value
		 * @param {object} [more]
		 */
		const plot = (label, value, more) => h("td", { class: "number", "data-label": label },
			sparkline(points, value, {
			...range, marks, label: `${label} over 5 min`, ...more }));
		return h("tbody", { key },
			h("tr", { class: "head" }, h("th", { scope: "rowgroup" }, head),
				plot("requests per second", rateOf),
				plot("share of errors", errorsOf, { floor: 0.02, tone: "bad" }), h("td", null),
				plot("p50", (each) => each.p50), plot("p99", (each) => each.p99)),
			cells("last 10 s", figures(recent(points, 10)), base, "now"),
			cells("since the change", since, base, "since"),
			before ? cells("before it", before, null, "before") :
			cells("since the server's start", totals.get(`${endpoint.name}\n${key}`) ?? null, null,
				"before"));
	};
	return card("", "Since the last change",
		quiet(all.before ?
			"▲ marks figures that are much worse than before the change. A new backend is compared with "
				+ "the whole endpoint." :
			"The figures begin after the change, so the page shows those since the server's start instead " +
			"of those before it. ▲ marks figures that are much worse than those of the whole endpoint."),
		table({ id: "comparison", label: "Figures since the last change" }, ["backend", "#requests/s",
				"#errors", "#other statuses", "#p50", "#p99"],
			[listed.map((backend) => group(backendLabel(names, backend), model.series.backend(endpoint
				.name, backend), backend)),
			rejectedGroup(endpoint, model.series.endpoint(endpoint.name), { ...range, time })].flat()),
		quiet("Errors are statuses that are the server's fault, as rollouts judge. p50 and p99 are means of the seconds."
			));
}

/**
 * The requests that no backend received because a limit was reached; null if there were none and
 * the endpoint has no limit.
 * @param {any} endpoint
 * @param {import("./series.js").Point[]} points
 * @param {{from: number, to: number, time: number}} options
 */
function rejectedGroup(endpoint, points, { from, to, time }) {
	const start = totals.get(`${endpoint.name}\n`);
	const isRejecting = points.some((each) => each.limited + each.overloaded > 0);
	if (!endpoint.rateLimit && !isRejecting && !(start && start.limited + start.overloaded > 0)) {
		return null;
	}
	const { before, since } = around(points, time);
	/**
	 * @param {string} label
	 * @param {import("./series.js").Figures | null | undefined} value
	 * @param {string} kind
	 */
	const cells = (label, value, kind) => {
		const sum = (value?.limited ?? 0) + (value?.overloaded ?? 0);
		return h("tr", { key: kind, class: kind }, rowHead(label),
			cell(value ? rate(sum) : "–", sum > 0),
			h("td", { colspan: 4, class: "quiet" }, sum > 0 ?
				[value?.limited ? `${rate(value.limited)} over the rate limit of the endpoint` : "",
					value?.overloaded ? `${rate(value.overloaded)} over a limit of the server` : ""]
				.filter(Boolean).join(", ") : ""));
	};
	return h("tbody", { key: "\nrejected", id: "rejected" },
		h("tr", { class: "head" }, h("th", { scope: "rowgroup" },
			"Rejected before a backend was chosen"),
			h("td", { class: "number" }, sparkline(points, (each) => (each.limited + each.overloaded) /
				each.seconds, { from, to, marks: time > 0 ? [time] : [], tone: "bad",
				label: "rejected requests per second over 5 min" })),
			h("td", { colspan: 4 })),
		cells("last 10 s", figures(recent(points, 10)), "now"),
		cells("since the change", since, "since"),
		before ? cells("before it", before, "before") : cells("since the server's start", start,
			"before"));
}

/**
 * @param {Page} page
 * @param {any} endpoint
 */
function replicasSection(page, endpoint) {
	const { model } = page;
	const names = model.palette(endpoint);
	const rows = model.names(endpoint).flatMap((name) => {
		const backend = model.backends.get(name);
		const replicas = list(backend?.status?.replicas);
		if (!backend) return [];
		if (replicas.length === 0) {
			return [h("tr", { key: name }, rowHead(backendLabel(names, name)),
				h("td", { colspan: 6 }, backend.handler ? dim("a handler in this server") :
					h("span", { class: "problem level-2" }, shown(backend.status?.problem ||
						"no replicas"))))];
		}
		return replicas.map((each) => {
			const state = word(each.state, "REPLICA_STATE_");
			const level = state === "ready" ? 0 : state === "starting" || state === "connecting" ?
				1 : 2;
			return h("tr", { key: `${name} ${each.name}` },
				rowHead(backendLabel(names, name), h(
				"span", { class: "code quiet" }, text(each.name, 128))),
				h("td", null, h("span", { class: `dot level-${level}` }), state),
				cell(count(each.inFlight)), cell(count(each.requests)),
				cell(number(each.requests) > 0 ? percent(number(each.successShare)) : "–"),
				cell(latency(each.latency?.p99Us)),
				h("td", null, each.lastFailure ?
					[text(each.lastFailure, 200), dim(` ${ago(each.lastFailureTime)}`)] : "–",
					number(each.ejections) > 0 ? dim(` · ${plural(number(each.ejections), "ejection")}`) :
						null));
		});
	});
	return card("", "Replicas on this server",
		table({ id: "replicas", label: "Replicas on this server" }, ["backend and replica", "state",
			"#in flight", "#requests", "#OK", "#p99", "last failure"], rows));
}
