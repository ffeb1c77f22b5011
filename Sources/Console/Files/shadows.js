// The section of an endpoint's shadows: verdict, fields that differ, and samples.

import { resetShadow, setShadow } from "./actions.js";
import { messageOf } from "./api.js";
import { button } from "./controls.js";
import { h } from "./dom.js";
import { ago, bytes, clock, count, latency, list, number, percent, plural, shown, weight,
	word } from "./format.js";
import { badVerdicts } from "./model.js";
import { backendLabel } from "./plots.js";
import { card, cell, details, fact, failure, quiet, table, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

/** How many endpoints' reports the page of all endpoints reads at once. */
const mostAtOnce = 8;
let turn = 0;
/** Why the reports of an endpoint could not be read. */
const view = { endpoint: "", problem: "" };

/**
 * Reads the reports of an endpoint.
 * @param {Page} page
 * @param {string} endpoint
 */
export async function readReports({ model, client }, endpoint) {
	if (list(model.endpoints.get(endpoint)?.shadows).length === 0) return;
	view.endpoint = endpoint;
	try {
		model.reports.set(endpoint, list((await client.call("GetShadowReport", { endpoint })).reports));
		view.problem = "";
	} catch (error) {
		view.problem = messageOf(error);
		throw error;
	}
}

/**
 * Reads the reports of endpoints with shadows, some each time.
 * @param {Page} page
 */
export async function readSomeReports(page) {
	const names = [...page.model.endpoints.values()].filter((each) => list(each.shadows).length > 0)
		.map((each) => each.name);
	const start = turn < names.length ? turn : 0;
	turn = start + mostAtOnce;
	for (const name of names.slice(start, turn)) await readReports(page, name);
}

/**
 * @param {Page} page
 * @param {any} endpoint
 */
export function shadowsSection(page, endpoint) {
	const shadows = list(endpoint.shadows);
	if (shadows.length === 0) return null;
	const reports = list(page.model.reports.get(endpoint.name));
	return card("shadows", "Shadows",
		quiet("Copies of requests; clients do not receive these responses. Figures of this server."),
		view.problem && view.endpoint === endpoint.name ? failure(view.problem) : null,
		shadows.map((shadow) => report(
			page, endpoint, shadow, reports.find((each) => each.backend === shadow.backend))));
}

/**
 * @param {Page} page
 * @param {any} endpoint
 * @param {any} shadow
 * @param {any} report
 */
function report(page, endpoint, shadow, report) {
	const names = page.model.palette(endpoint);
	const may = page.model.may(endpoint.name);
	const verdict = word(report?.verdict, "SHADOW_VERDICT_");
	const level = verdict in badVerdicts ? 2 : 0;
	const current = () => page.model.current(endpoint);
	return h("article", { key: shadow.backend, "data-shadow": shadow.backend },
		h("h3", null, backendLabel(names, shadow.backend),
			` receives copies of ${weight(shadow.proportion)} of the requests`),
		may ? h("div", { class: "actions",
			role: "group", "aria-label": `Actions of the shadow ${shadow.backend}` },
			button("Change …", () => setShadow(page, current(), shadow.backend), { class: "small" }),
			report ? button("Reset report …", () => resetShadow(page, current(), report),
				{ class: "small" }) : null) : null,
		report ? [
			h("p", { class: `problem level-${level}` }, shown(report.explanation)),
			h("dl", { class: "facts" },
				fact("compared", count(report.compared)), fact("equal", count(report.equal)), fact(
					"different", count(report.differing)),
				fact("beyond noise", count(report.differingBeyondNoise)), fact("selected", count(report
					.selected)),
				list(report.drops).map((each) => fact(`dropped: ${each.reason}`, count(each.count))),
				fact("p99 primary", latency(report.primaryLatency?.p99Us)), fact("p99 shadow", latency(
					report.shadowLatency?.p99Us)),
				fact("buffered", bytes(report.bufferedBytes)), fact("since", ago(report.since))),
			list(report.fields).length > 0 ? table({ label: "", caption: "Fields that differ",
					class: "fields stack" },
				["field", "#pairs", "#share", "#noise", "primary, for example", "shadow"],
				report.fields.map((/** @type {any} */ field) => h(
					"tr", { key: `${field.method} ${field.field}`, class: field.noise ? "noise" : "" },
					h("th", { scope: "row", class: "code", title: shown(field.method) }, text(field.field,
						200), field.noise ? h("span", { class: "tag" }, "noise") : null),
					cell(count(field.count)), cell(percent(field.share ?? 0)),
					cell(number(report.noiseCompared) > 0 ? percent(field.noiseShare ?? 0) : "–"),
						sides(field.example, 300)))) : null,
			list(report.statuses).length > 0 ? details("Statuses",
				table({ label: "Statuses", class: "" }, ["primary", "shadow", "#pairs"], report.statuses
					.map((/** @type {any} */ each) => h("tr", { key: `${each.primary} ${each.shadow}` },
						h("td", null, shown(each.primary)), h("td", null, shown(each.shadow)),
							cell(count(each.count)))))) : null,
			list(report.samples).length > 0 ?
				details(`${plural(report.samples.length, "sample")} (redacted as configured)`,
				report.samples.map((/** @type {any} */ sample) => h("div", { class: "sample" },
					quiet(`${clock(sample.time)} · `, text(sample.method, 200)),
					table({ label: "Sample" }, ["place", "primary", "shadow"], list(sample.differences).map(
						(each) => h("tr", null, h("th", { scope: "row", class: "code" },
							shown(each.place, 200)), sides(each, 1000)))),
					list(sample.metadata).length > 0 ? h("p", { class: "quiet code" },
						list(sample.metadata).map(
						(each) => `${shown(each.name, 80)}: ${shown(each.value, 200)}`)
						.join(" · ")) : null))) : null,
		] : quiet(number(page.model.revision) > 0 ? "Reading the report …" : ""));
}

/**
 * The two values of a difference, side by side.
 * @param {any} values
 * @param {number} limit
 */
const sides = (values, limit) => [
	h("td", { class: "code before" }, text(values?.primary, limit)),
	h("td", { class: "code after" }, text(values?.shadow, limit)),
];
