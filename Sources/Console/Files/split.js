// The section of an endpoint with the split of its requests over time.

import { h } from "./dom.js";
import { clock, count, number, percent, plural, span } from "./format.js";
import { legend, splitPlot } from "./plots.js";
import { keptSeconds, spans, splits } from "./series.js";
import { card, cell, details, quiet, rowHead, table } from "./table.js";
import { changesOf } from "./changes.js";

/** @typedef {import("./dialog.js").Page} Page */

const rowSeconds = 30;
const leastSeconds = 60;
/** The least distance of the numbers of two marks, as a share of the width. */
const leastDistance = 0.08;

/**
 * @param {Page} page
 * @param {any} endpoint
 */
export function splitSection(page, endpoint) {
	const { model } = page;
	const { name } = endpoint;
	const points = model.series.endpoint(name);
	const to = points.at(-1)?.time ?? 0;
	const first = points[0] ? points[0].time - points[0].seconds * 1000 : 0;
	const from = Math.min(Math.max(to - keptSeconds * 1000, first), to - leastSeconds * 1000);
	const names = model.palette(endpoint, model.series.backends(name));
	const all = splits(names.map((each) => model.series.backend(name, each)), from);
	const marks = changesOf(page, endpoint).map((each) => ({ revision: number(each.revision),
		time: Date.parse(each.time ?? "") })).filter(({ time }) => time > from && time <= to)
		.reverse();
	/** The marks whose numbers have space, the latest first. */
	const numbered = [...marks].reverse().reduce((kept, mark) => {
		const at = (mark.time - from) / (to - from);
		if (at > 0.1 && at < 0.95 && (kept.at(-1)?.at ?? 2) - at >= leastDistance) kept.push({ ...mark, at });
		return kept;
	}, /** @type {{revision: number, time: number, at: number}[]} */ ([]));
	const used = names.filter((_, index) => all.some((each) => (each.shares[index] ?? 0) > 0));
	const now = all.at(-1);
	return card("split", "Split of the requests over time",
		all.length === 0 ? quiet("No requests in the last 5 minutes.") : [
			splitPlot(names, all, { from, to, marks: marks.map(({ time }) => time),
				label: `the share of each backend over ${span((to - from) / 1000)}, with ${plural(marks.length, "change")}: ` +
					`now ${used.map((each) => `${each} ${percent(now?.shares[names.indexOf(each)] ?? 0)}`)
						.join(", ")}` }),
			h("div", { class: "axis quiet numbers" }, h("span", null, `${span((to - from) / 1000)} ago`),
				numbered.map((mark) => h("a", {
					key: String(mark.revision),
					href: `#/history/${mark.revision}`,
					style: { left: `${(mark.at * 100).toFixed(2)}%` },
					title: clock(mark.time),
					"aria-label": `Revision ${mark.revision}`,
				}, `r${mark.revision}`)), h("span", null, "now")),
			legend(names, used.map((each) => [each, percent(now?.shares[names.indexOf(each)] ?? 0)])),
			quiet("Shares of the requests that backends received. Lines mark revisions of this endpoint."),
			details("The split as a table", splitTable(names, used, all, marks)),
		]);
}

/**
 * @param {string[]} names
 * @param {string[]} used
 * @param {import("./series.js").Split[]} all
 * @param {{revision: number, time: number}[]} marks
 */
function splitTable(names, used, all, marks) {
	const rows = spans(all, rowSeconds).reverse();
	return table({ label: "Split of the requests" },
		["until", ...used.map((each) => `#${each}`), "#requests", "revisions"],
		rows.map((row) => h("tr", { key: String(row.to) },
			rowHead(clock(row.to).slice(11)),
			used.map((each) => cell(percent(row.shares[names.indexOf(each)] ?? 0))),
			cell(count(row.requests)),
			h("td", null, marks.filter(({ time }) => time > row.from && time <=
				row.to).map(({ revision }) => revision).join(", ") || "–"))));
}
