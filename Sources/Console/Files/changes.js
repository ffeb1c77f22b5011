// The section of an endpoint with its changes.

import { rollBack } from "./actions.js";
import { button } from "./controls.js";
import { h } from "./dom.js";
import { clock, list, number, plural, weight } from "./format.js";
import { changeCells } from "./history.js";
import { backendLabel, legend, splitSteps } from "./plots.js";
import { card, dim, quiet, table } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

const most = 100;
const rowsAtFirst = 20;
const shownSteps = 40;

/**
 * The changes of the endpoint that the page shows, latest first, with the revision of the endpoint
 * at which the page asked for them.
 * @type {{endpoint: string, revision: string, list: any[], isReading: boolean, showsAll: boolean}}
 */
let known = { endpoint: "", revision: "", list: [], isReading: false, showsAll: false };

/**
 * The changes of an endpoint, each with its weights after it, latest first.
 * @param {Page} page
 * @param {any} endpoint
 * @returns {any[]}
 */
export function changesOf(page, endpoint) {
	const { name, revision } = endpoint;
	if (known.endpoint !== name) {
		known = { endpoint: name, revision: "", list: [], isReading: false, showsAll: false };
	}
	if (known.revision !== revision && !known.isReading) {
		const mine = known;
		Object.assign(mine, { revision, isReading: true });
		page.client.call("ListRevisions", { endpoint: name, limit: most }).then((response) => {
			mine.list = list(response.revisions);
			return 200;
		}, () => {
			mine.revision = "";
			return 3000;
		}).then((pause) => {
			page.changed();
			// The next question, because of another change or of the failure.
			setTimeout(() => {
				mine.isReading = false;
				page.changed();
			}, pause);
		});
	}
	return known.list;
}

/**
 * @param {Page} page
 * @param {any} endpoint
 */
export function changesSection(page, endpoint) {
	const { name } = endpoint;
	const all = changesOf(page, endpoint);
	const steps = all.map((each) => ({ revision: number(each.revision), time: each.time,
		weights: list(each.weights) })).filter((each) => each.weights.length > 0)
		.slice(0, shownSteps).reverse();
	const used = [...new Set(steps.flatMap((each) => each.weights.map((one) => one.backend)))];
	const colours = page.model.palette(endpoint, used);
	const may = page.model.may(name);
	const rows = known.showsAll ? all : all.slice(0, rowsAtFirst);
	return card("changes", "History of this endpoint",
		steps.length > 1 ? [
			quiet(`The weights after each of the latest ${plural(steps.length, "change")}, oldest left.`),
			splitSteps(colours, steps),
			h("div", { class: "axis quiet" }, h("span", null, `r${steps[0]?.revision}, ${clock(steps[0]
				?.time)}`), h("span", null, `r${steps.at(-1)?.revision}, ${clock(steps.at(-1)?.time)}`)),
			legend(colours, used.map((each) => [each])),
		] : null,
		all.length === 0 ? quiet(known.revision === "" || known.isReading ?
			"Reading …" : "No kept revision changed this endpoint.") :
		table({ id: "endpoint-history", label: "History of this endpoint", ...(may ?
				{ hidden: "actions" } : {}) },
			["#revision", "time", "author", "change", "weights after it"],
			rows.map((each) => h("tr", { key: String(each.revision) }, changeCells(each, 300),
				h("td", null, list(each.weights).map((one) => h(
					"span", { class: "weight-after", key: one.backend }, backendLabel(colours, one.backend),
					` ${weight(one.weight)}`))),
				may ? h("td", null, number(each.revision) === number(endpoint.revision) ? dim("current") :
					button("Restore …",
					() => rollBack(page, number(each.revision), name), { class: "small",
						"aria-label": `Restore revision ${each.revision}` })) : null))),
		all.length > rows.length ? h("p", null, button(`Show ${plural(all.length, "change")}`, () => {
			known.showsAll = true;
			page.changed();
		})) : null);
}
