// The page of the history, with the differences of a revision.

import { rollBack } from "./actions.js";
import { button, filterBox } from "./controls.js";
import { changesTable } from "./dialog.js";
import { h } from "./dom.js";
import { ago, clock, list, number, plural, zone } from "./format.js";
import { failure, quiet, table, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

/**
 * The differences by range.
 * @type {Map<string, {changes?: any[], problem?: string}>}
 */
const diffs = new Map();
const view = { filter: "", shown: 50 };
/** The revision with whose differences the page compares the current one; 0 for none. */
let opened = { selected: 0, current: 0 };
const retryMilliseconds = 3000;

/**
 * @param {Page} page
 * @param {number} from
 * @param {number} to
 */
function difference(page, from, to) {
	const key = `${from} ${to}`;
	const known = diffs.get(key);
	if (known) return known;
	/** @type {{changes?: any[], problem?: string}} */
	const made = {};
	diffs.set(key, made);
	if (diffs.size > 50) diffs.delete(/** @type {string} */ (diffs.keys().next().value));
	page.client.call("CompareRevisions", { fromRevision: String(from), toRevision: String(to) }).then(
		(response) => { made.changes = list(response.changes); },
		(error) => {
			made.problem = error.message;
			// Asks again.
			setTimeout(() => { diffs.delete(key); }, retryMilliseconds);
		},
	).finally(page.changed);
	return made;
}

/**
 * @param {Page} page
 * @param {number} selected 0 for none
 */
export function historyPage(page, selected) {
	const { model } = page;
	const wanted = view.filter.toLowerCase();
	const all = [...model.revisions.values()].sort((a, b) => number(b.revision) - number(a.revision));
	const found = all.filter((each) => wanted === "" ||
		`${each.revision} ${each.author} ${each.summary} ${each.comment}`.toLowerCase().includes(
			wanted));
	return [
		h("div", { class: "title" }, h("h1", null, "History"),
			h("p", { class: "summary" },
				`${plural(all.length, "revision")}, the current one is ${model.revision}`),
			filterBox("Filter by author, change or comment", view, page.changed)),
		selected > 0 && selected <= model.revision ? detail(page, selected) : selected !== 0 ?
		h("p", { class: "error" }, "This revision does not exist.") : null,
		h("section", { class: "card" }, table({ id: "history", label: "History" },
			["#revision", `time, ${zone()}`, "author", "change"],
				found.slice(0, view.shown).map((each) => h("tr", { key: String(each.revision),
					class: number(each.revision) === selected ? "selected" : "" }, changeCells(each, 400))))),
		found.length > view.shown ? h("p", null, button(`Show more of ${found.length} revisions`,
			() => { view.shown += 200;
			page.changed(); })) : null,
	];
}

/**
 * The cells of a revision.
 * @param {any} each
 * @param {number} limit the characters of its texts
 */
export const changeCells = (each, limit) => [
	h("th", { scope: "row", class: "number" }, h("a", { href: `#/history/${each.revision}` }, String(
		each.revision))),
	h("td", null, h("time", { datetime: each.time, title: ago(each.time) }, clock(each.time))),
	h("td", null, text(each.author, 128)),
	h("td", null, text(each.summary, limit), each.comment ? h(
		"q", { class: "comment" }, text(each.comment, limit)) : null),
];

/**
 * @param {Page} page
 * @param {number} selected
 */
function detail(page, selected) {
	const { model } = page;
	const revision = model.revisions.get(selected) ?? { revision: selected };
	const made = difference(page, selected - 1, selected);
	const isOld = selected < model.revision;
	const current = opened.selected === selected ? opened.current : 0;
	const isAdmin = model.access.role === "ACCESS_ROLE_ADMIN";
	/** @param {{changes?: any[], problem?: string}} diff */
	const body = (diff) => (diff.problem ? failure(diff.problem) :
		diff.changes ? changesTable(diff.changes) : quiet("Reading …"));
	return h("section", { class: "card", id: "revision" },
		h("div", { class: "title" }, h("h2", null, `Revision ${selected}`), h(
		"a", { href: "#/history" }, "Close")),
		h("p", null, text(revision.author, 128), revision.time ?
			`, ${clock(revision.time)} (${ago(revision.time)})` : ""),
		revision.comment ? h("blockquote", { class: "comment" }, text(revision.comment, 4000)) : null,
		h("h3", null, "What this revision changed"), body(made),
		isOld ? [h("details", {
				key: `since ${selected}`,
				ontoggle: (/** @type {any} */ event) => {
					opened = event.target.open ? { selected, current: model.revision } :
						{ selected: 0, current: 0 };
					page.changed();
				},
			}, h("summary", null,
				`What is different in the current revision ${current || model.revision}`),
			current > 0 ? body(difference(page, selected, current)) : null),
			isAdmin ? h("p", null, button("Restore all endpoints to this revision …",
				() => rollBack(page, selected, ""))) : null
		] : quiet("This is the current revision."));
}
