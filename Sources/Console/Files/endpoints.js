// The page of all endpoints, worst first.

import { undo } from "./actions.js";
import { button, filterBox } from "./controls.js";
import { h, memo } from "./dom.js";
import { ago, byName, clock, latency, list, number, percent, plural, rate, shown,
	word } from "./format.js";
import { sparkline, splitBar } from "./plots.js";
import { fewErrors, isRunning } from "./model.js";
import { errorsOf, figures, rateOf, recent } from "./series.js";
import { dim, quiet, rowHead, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */
/** @typedef {import("./dom.js").VNode} VNode */

const shownAtFirst = 100;
const plotSeconds = 120;
const words = ["ok", "warning", "error"];

/** The state of the page between two drawings. */
const view = { filter: "", all: false };
/** @type {string[]} */
let latestOrder = [];
/** @type {Map<string, VNode>} */
const rows = new Map();

/**
 * The elements of rows that are on the screen or near it. Only these are drawn each second.
 * @type {Set<Element>}
 */
const near = new Set();
/** @type {WeakSet<Element>} */
const observed = new WeakSet();
/** @type {IntersectionObserver | null} */
let observer = null;

/**
 * Observes the rows that were added.
 * @param {Page} page
 */
function observe(page) {
	observer ??= new IntersectionObserver((entries) => {
		for (const entry of entries) {
			if (entry.isIntersecting) near.add(entry.target);
			else near.delete(entry.target);
		}
		page.changed();
	}, { rootMargin: "300px" });
	for (const element of near) if (!element.isConnected) near.delete(element);
	for (const element of document.querySelectorAll("#endpoints tbody tr")) {
		if (observed.has(element)) continue;
		observed.add(element);
		near.add(element);
		observer.observe(element);
	}
}

/**
 * The names of the endpoints, worst first. While the user points at the table, the order stays, so
 * that a row does not move away under the pointer.
 * @param {Page} page
 * @param {Map<string, number>} levels
 */
function order(page, levels) {
	const { model } = page;
	const isPointedAt = document.querySelector("#endpoints tbody:hover, #endpoints tbody :focus") !==
		null;
	const known = latestOrder.filter((name) => model.endpoints.has(name));
	if (isPointedAt && known.length === model.endpoints.size) return known;
	/** @type {Map<string, number>} */
	const errors = new Map();
	for (const name of model.endpoints.keys()) {
		const now = figures(recent(model.series.endpoint(name), 10));
		errors.set(name, Math.round((now?.errors ?? 0) * 100));
	}
	latestOrder = [...model.endpoints.keys()].sort((a, b) =>
		(levels.get(b) ?? 0) - (levels.get(a) ?? 0) || (errors.get(b) ?? 0) - (errors.get(a) ?? 0) ||
		byName(a, b));
	return latestOrder;
}

/**
 * @param {Page} page
 * @returns {import("./dom.js").Loose[]}
 */
export function endpointsPage(page) {
	const { model } = page;
	observe(page);
	const drawn = new Set([...near].map((each) => each.getAttribute("data-endpoint")));
	/** @type {Map<string, import("./model.js").Problem[]>} */
	const problems = new Map();
	for (const [name, endpoint] of model.endpoints) problems.set(name, model.problems(endpoint));
	const levels = new Map([...problems].map(([name, list]) => [name, list[0]?.level ?? 0]));
	const bad = [...levels.values()].filter((level) => level > 0).length;
	const wanted = view.filter.toLowerCase();
	const names = order(page, levels).filter((name) => {
		const endpoint = model.endpoints.get(name);
		return wanted === "" || `${name} ${endpoint?.route}`.toLowerCase().includes(wanted);
	});
	const listed = view.all ? names : names.slice(0, shownAtFirst);
	for (const name of rows.keys())
		if (!model.endpoints.has(name)) rows.delete(name);
	const { latest } = model.series;
	return [
		h("div", { class: "title" }, h("h1", null, "Endpoints"),
			h("p", { class: bad > 0 ? "summary error" : "summary" },
				bad > 0 ? `${plural(bad, "endpoint")} of ${model.endpoints.size} with problems` :
				`${plural(model.endpoints.size, "endpoint")}, no problems`),
			h("p", { class: "quiet figures" },
				`${rate(latest.requests)} requests/s · ${plural(latest.connections, "connection")}`),
			filterBox("Filter by name or route", view, page.changed)),
		model.endpoints.size === 0 ?
			quiet("This server has no endpoints yet. Create one with the tool: ",
			h("code", null, "weir endpoint create NAME --route /pkg.Service/ --backend NAME")) :
		h("table", { id: "endpoints", class: "wide" },
			h("caption", { class: "hidden" },
				"Endpoints, worst first. Errors are those that are the server's fault."),
			h("thead", null, h("tr", null, h("th", { scope: "col" }, "endpoint"), h(
				"th", { scope: "col" }, "split"),
				h("th", { scope: "col", class: "number" }, "requests/s"), h("th", { scope: "col",
					class: "number" }, "errors"),
				h("th", { scope: "col", class: "number" }, "p99"), h("th", { scope: "col" },
					"last change"))),
			h("tbody", null, listed.map((name) => row(page, name, problems.get(name) ?? [], drawn)))),
		names.length > listed.length ? h("p", null, button(`Show all ${names.length} endpoints`,
			() => { view.all = true;
			page.changed(); })) : null,
	];
}

/**
 * @param {Page} page
 * @param {string} name
 * @param {import("./model.js").Problem[]} problems
 * @param {Set<string | null>} drawn the rows that are on the screen
 */
function row(page, name, problems, drawn) {
	const { model } = page;
	const kept = rows.get(name);
	if (kept && !drawn.has(name)) return kept;
	const endpoint = model.endpoints.get(name);
	const points = model.series.endpoint(name);
	const change = model.lastChange(endpoint);
	const now = Date.now();
	const isNew = now - (model.flashes.get(name) ?? 0) < 4000;
	const deps = [
		endpoint, points.at(-1), change, ago(change?.time), problems.map((each) => each.text)
		.join(), isNew,
		model.may(name), model.palette(endpoint).join(), model.rollouts.get(name),
	];
	return memo(deps, () => makeRow(page, endpoint, problems, points, change, isNew), rows, name);
}

/**
 * @param {Page} page
 * @param {any} endpoint
 * @param {import("./model.js").Problem[]} problems
 * @param {import("./series.js").Point[]} points
 * @param {any} change
 * @param {boolean} isNew
 */
function makeRow(page, endpoint, problems, points, change, isNew) {
	const { model } = page;
	const names = model.palette(endpoint);
	const rollout = model.rollouts.get(endpoint.name);
	const to = points.at(-1)?.time ?? 0;
	const range = { from: to - plotSeconds * 1000, to };
	const marks = [Date.parse(change?.time ?? "")].filter((time) => time > 0);
	const figuresNow = figures(recent(points, 10));
	const level = problems[0]?.level ?? 0;
	const errors = figuresNow?.errors ?? 0;
	return h("tr", { class: `level-${level}${isNew ? " new" : ""}`, "data-endpoint": endpoint.name },
		rowHead(h("a", { href: `#/endpoint/${encodeURIComponent(endpoint.name)}` },
				h("span", { class: `dot level-${level}`, role: "img", "aria-label": words[level] }),
					text(endpoint.name)),
			h("span", { class: "route quiet" }, h("bdi", null, shown(endpoint.route) ||
			"by name only")),
			problems.map((each) => h("span", { key: each.text, class: `problem level-${each.level}` },
				each.text))),
		h("td", { class: "split-cell" }, splitBar(names, list(endpoint.weights)),
			list(endpoint.shadows).length > 0 ? dim(plural(endpoint.shadows.length, "shadow")) : null,
			rollout && isRunning(rollout) ? h("span", { class: "quiet rollout" }, "rollout to ", h("bdi",
				null, shown(rollout.plan?.candidate)), `: ${word(rollout.phase, "ROLLOUT_PHASE_")}, step ` +
				`${number(rollout.step) + 1} of ${rollout.plan?.steps?.length ?? 0}`) : null),
		h("td", { class: "number", "data-label": "requests/s" }, h("b", null, figuresNow ? rate(
				figuresNow.rate) : "–"),
			sparkline(points, rateOf, { ...range, marks,
				label: `requests per second in ${plotSeconds} s` })),
		h("td", { class: `number${errors >= fewErrors ? " bad" : ""}`, "data-label": "errors" },
			h("b", null, figuresNow ? percent(errors) : "–"),
			sparkline(points, errorsOf, { ...range, marks,
				floor: 0.02, tone: "bad", label: `share of errors in ${plotSeconds} s` })),
		h("td", { class: "number", "data-label": "p99" }, h("b", null, latency(figuresNow?.p99)),
			sparkline(points, (each) => each.p99, { ...range, marks, label: `p99 in ${plotSeconds} s` })
			),
		h("td", { class: "change", "data-label": "last change" },
			change?.time ? [
				h("span", { class: "what" }, text(withoutName(change.summary, endpoint.name), 160)),
				dim(h("time", { datetime: change.time, title: clock(change.time) }, ago(change.time)),
					" by ", text(change.author, 60), ` · revision ${change.revision}`),
			] : dim(`revision ${endpoint.revision}`),
			model.may(endpoint.name) ? button("Undo …", () => undo(page, model.current(endpoint)), {
				class: "small", "aria-label": `Undo the last change of ${endpoint.name}` }) : null));
}

/**
 * A summary without the endpoint's name, which the row shows.
 * @param {string | undefined} summary
 * @param {string} name
 */
function withoutName(summary, name) {
	const text = summary ?? "";
	return text.startsWith(`${name}: `) ? text.slice(name.length + 2) : text;
}
