// Controls of forms.

import { h } from "./dom.js";
import { shown } from "./format.js";

/** @typedef {(value: string, isInvalid: boolean) => void} Set */

/**
 * A listener with the text of the control.
 * @param {Set} set
 */
export const typed = (set) => (/** @type {any} */ { target }) => set(target.value,
	target.validity.badInput);

/**
 * A setter of a value of a dialog, which then repeats the dry run.
 * @template {string} Name
 * @param {Record<Name, string>} values
 * @param {Name} name
 * @param {() => void} redo
 */
export const into = (values, name, redo) => (/** @type {string} */ value) => {
	values[name] = value;
	redo();
};

/**
 * A labelled control.
 * @param {string} label
 * @param {...import("./dom.js").Loose} control
 */
export const field = (label, ...control) => h("label", { class: "field", key: label }, label,
	control);

/**
 * A labelled box.
 * @param {string} label
 * @param {Record<string, any>} props
 * @param {Set} set
 */
export const box = (label, props, set) => field(label, h("input", { autocomplete: "off",
	spellcheck: "false", ...props, oninput: typed(set) }));

/**
 * A labelled box with a list of names.
 * @param {string} label
 * @param {Record<string, any>} props
 * @param {string[]} names
 * @param {Set} set
 * @param {string} [none] the text without a selected name
 */
export const select = (label, props, names, set, none = "Select …") => field(label, h("select", {
	...props, onchange: typed(set) }, h("option", { value: "" }, none),
		names.map((each) => h("option",
	{ value: each, key: each }, shown(each, 128)))));

/**
 * A box to check.
 * @param {string} label
 * @param {Record<string, any>} props
 * @param {(isChecked: boolean) => void} set
 */
export const check = (label, props, set) => h("label", { class: "check" }, h("input", {
	type: "checkbox", ...props,
	onchange: (/** @type {any} */ event) => set(event.target.checked) }), ` ${label}`);

/**
 * A box that filters the rows of a page.
 * @param {string} label
 * @param {{filter: string}} view
 * @param {() => void} changed
 */
export const filterBox = (label, view, changed) => h("label", { class: "filter" }, h("span", {
	class: "hidden" }, label), h("input", { type: "search", placeholder: "Filter", name: "filter",
	value: view.filter, oninput: typed((value) => { view.filter = value;
		changed(); }) }));

/**
 * @param {import("./dom.js").Loose} label
 * @param {() => void} onclick
 * @param {Record<string, any>} [props]
 */
export const button = (label, onclick, props) => h("button",
	{ type: "button", ...props, onclick }, label);
