// Tables and other parts that all pages use.

import { h } from "./dom.js";
import { shown } from "./format.js";

/** @typedef {import("./dom.js").VNode} VNode */
/** @typedef {import("./dom.js").Loose} Loose */

/**
 * A table that scrolls within its section. On small screens, each row is a block.
 * @param {{label: string, id?: string, class?: string, caption?: string, hidden?: string}} options
 *   `label` names the table, unless its caption does; `hidden` is the head of a last column without
 *   a visible one
 * @param {string[]} heads those that begin with "#" are of columns with numbers
 * @param {Loose} rows
 */
export function table(options, heads, rows) {
	const { label, caption, hidden, class: kind = "stack", id } = options;
	const rowsOf = Array.isArray(rows) && rows.some((each) => each?.tag === "tbody") ? rows :
		[h("tbody", null, rows)];
	const names = heads.map((head) => String(head).replace("#", ""));
	// Small screens show the head in each cell.
	for (const row of rowsOf.flatMap((body) => body?.children ?? [])) {
		let column = 0;
		for (const { tag, props } of row.children) {
			if (tag === "td" && names[column] && !props.colspan) props["data-label"] ??= names[column];
			column += props.colspan ?? 1;
		}
	}
	return h("div", { class: "scroll" }, h("table", { ...(id ? { id } : {}), class: kind,
		"aria-label": caption ? null : label },
		caption ? h("caption", null, caption) : null,
		h("thead", null, h("tr", null, names.map((name, index) => h("th", { scope: "col",
			class: name === heads[index] ? null : "number" }, name)),
			hidden ? h("th", { scope: "col" }, h("span", { class: "hidden" }, hidden)) : null)),
		rowsOf));
}

/**
 * A cell with a number.
 * @param {Loose} value
 * @param {boolean} [isBad]
 */
export const cell = (value, isBad = false) => h("td", { class: isBad ? "number worse" : "number" },
	value);

/**
 * The head of a row.
 * @param {...Loose} children
 */
export const rowHead = (...children) => h("th", { scope: "row" }, ...children);

/**
 * What the user can unfold.
 * @param {string} summary
 * @param {...Loose} children
 */
export const details = (summary, ...children) => h("details", null, h("summary", null, summary),
	...children);

/**
 * Why something failed.
 * @param {unknown} message
 */
export const failure = (message) => h("p", { class: "error", role: "alert" }, shown(message, 1000));

/**
 * A name and its value, in a list of facts.
 * @param {string} name
 * @param {string} value
 */
export const fact = (name, value) => h("div", { key: name }, h("dt", null, name), h("dd", null,
	value));

/**
 * External text, isolated from the direction of the text around it.
 * @param {unknown} value
 * @param {number} [limit]
 */
export const text = (value, limit) => h("bdi", null, shown(value, limit));

/**
 * A paragraph that explains.
 * @param {...Loose} children
 */
export const quiet = (...children) => h("p", { class: "quiet" }, ...children);

/**
 * The same within a line.
 * @param {...Loose} children
 */
export const dim = (...children) => h("span", { class: "quiet" }, ...children);

/**
 * A section with a title.
 * @param {string} id empty for none
 * @param {Loose} title
 * @param {...Loose} children
 */
export const card = (id, title, ...children) => h("section", { class: "card", id: id || null },
	h("h2", null, title), ...children);
