// Actions: a dialog with the input, the result of a dry run, and a comment. Nothing changes before
// the user confirms what the dry run shows.

import { CallError, messageOf } from "./api.js";
import { button, field, typed } from "./controls.js";
import { h, render } from "./dom.js";
import { list, number, percent, shown } from "./format.js";
import { dim, failure, quiet, table, text } from "./table.js";

/** @typedef {import("./dom.js").Loose} Loose */
/**
 * @typedef {object} Action
 * @property {string} title
 * @property {string} confirm the label of the button
 * @property {boolean} [danger]
 * @property {(redo: () => void) => Loose} [fields] the input
 * @property {string} method
 * @property {() => object | null} request without the common fields; null if the input is not
 *   complete
 * @property {boolean} [hasDryRun] false for a method without `validate_only`
 * @property {(response: any) => Loose} preview what the dry run states
 * @property {(response: any) => string | null} [refuse] why the user should not confirm
 * @property {string} [hint] what to do if the dry run fails
 * @property {() => string} [incomplete] what the user has to enter, if the input is not complete
 */

/** @typedef {{client: import("./api.js").Client, model: import("./model.js").Model,
 *  changed: () => void, note: (text: string) => void,
 *  learn: (revision: number) => void}} Page */

const pauseMilliseconds = 150;
// How often a dry run, and a change, are repeated because of other changes.
const mostChecks = 20;
const mostAttempts = 5;

/** Methods that a freeze does not reject; a test compares them with the server. */
const notFrozen = new Set([
	"Rollback", "PauseRollout", "AbortRollout", "ConfirmTraffic", "SetFreeze", "ResetShadowReport",
]);

/** @param {unknown} error */
const isAborted = (error) => error instanceof CallError && error.code === "aborted";

/** What the dialogs call the fields of requests. */
const labels = /** @type {const} */ ([
	[/^note\.comment\b/, "Comment"], [/^rate_limit\.requests_per_second\b/, "Requests per second"],
	[/^rate_limit\.burst\b/, "Burst"], [/^plan\.steps\b(\[\d+\])?/, "Steps"],
	[/^plan\.gates\b(\[\d+\])?/, "Gates"], [/ with override_rollout \(--override-rollout\)/, ""],
]);

/** @param {unknown} error */
const reasonOf = (error) => labels.reduce((message, [pattern, label]) => message.replace(pattern,
	label), messageOf(error));

/**
 * The open dialog.
 * @type {{refresh: () => void, close: () => void} | null}
 */
let opened = null;

/** Repeats the dry run of the open dialog if what it is about may have changed. */
export const refreshDialog = () => opened?.refresh();

export const closeDialog = () => opened?.close();

/**
 * What a dry run states, without the figures that change by themselves and the revision, to which
 * changes of other objects add.
 * @param {any} response
 */
const outcome = (response) => JSON.stringify(response, (name, value) => passing.has(name) ?
	undefined : value);
const passing = new Set([
	"revision", "requests", "requestsPerSecond", "errorShare", "timeToProof", "gates", "inPhase",
	"logFailure", "reason",
]);

const pause = () => new Promise((resolve) => { setTimeout(resolve, pauseMilliseconds); });

/**
 * Shows the dialog of an action.
 * @param {Page} page
 * @param {Action} action
 */
export function open(page, action) {
	const { client, model } = page;
	const dialog = document.createElement("dialog");
	const opener = /** @type {HTMLElement | null} */ (document.activeElement);
	let comment = "";
	/** @type {any} */
	let result = null;
	/** The revision that the dry run saw. */
	let revision = 0;
	let problem = "";
	let isBusy = false;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	let timer;
	let generation = 0;
	let checks = 0;
	/** What the dry run is about: the state after a connection, and the endpoint. */
	const subject = () => {
		const name = /** @type {any} */ (action.request())?.endpoint ?? "";
		return `${model.snapshots} ${model.endpoints.get(name)?.revision ?? ""}`;
	};
	let checked = subject();

	const hasDryRun = action.hasDryRun !== false;

	/**
	 * @param {boolean} validateOnly
	 * @param {number} expected the revision that the change is made at
	 */
	const send = (validateOnly, expected) => {
		const request = action.request();
		if (!request) return null;
		if (!hasDryRun) return client.call(action.method, request);
		return client.call(action.method, {
			...request,
			validateOnly,
			expectedRevision: String(expected),
			note: { comment },
		});
	};

	const check = async () => {
		const own = ++generation;
		problem = "";
		const seen = model.revision;
		checked = subject();
		if (!hasDryRun) {
			result = action.request() ? {} : null;
			draw();
			return;
		}
		try {
			const answer = await send(true, seen);
			if (own !== generation) return;
			result = answer;
			revision = seen;
			checks = 0;
		} catch (error) {
			if (own !== generation) return;
			result = null;
			checks += 1;
			if (isAborted(error) && checks < mostChecks) {
				// The page has not yet received a change.
				timer = setTimeout(check, pauseMilliseconds);
				return;
			}
			problem = isAborted(error) ? "The server makes changes faster than this page receives them." :
				reasonOf(error);
		}
		draw();
	};

	const redo = () => {
		result = null;
		generation += 1;
		checks = 0;
		draw();
		clearTimeout(timer);
		timer = setTimeout(check, pauseMilliseconds);
	};

	/**
	 * Makes the change that the dry run has shown. After a change of another object, the dry run has
	 * the same result, and the user does not need to look again.
	 */
	const commit = async () => {
		const agreed = outcome(result);
		for (let attempt = 1;; attempt += 1) {
			try {
				return await send(false, revision);
			} catch (error) {
				if (!isAborted(error) || attempt === mostAttempts) throw error;
				const before = revision;
				await check();
				while (result === null && problem === "" && dialog.isConnected) await pause();
				if (result === null || revision === before || outcome(result) !== agreed) throw error;
			}
		}
	};

	const confirm = async () => {
		if (!result || isBusy || refused()) return;
		isBusy = true;
		problem = "";
		draw();
		try {
			const answer = await commit();
			dialog.close();
			page.note(
				`Done: ${action.title}${answer?.revision ? ` (revision ${number(answer.revision)})` : ""}`
				);
		} catch (error) {
			isBusy = false;
			if (!isAborted(error)) await check();
			if (!isAborted(error)) problem = reasonOf(error);
			else if (problem === "") problem =
				"Another change was made since the dry run. Check its new result, then confirm again.";
			draw();
		}
		page.changed();
	};

	/** Why the user should not confirm. A dry run is accepted during a freeze. */
	const refused = () => {
		const freeze = notFrozen.has(action.method) ? null : model.freeze;
		if (freeze) return `Changes are frozen by ${shown(freeze.author, 60)}: ${shown(freeze.reason, 300)}`;
		return action.refuse?.(result) ?? null;
	};

	const draw = () => {
		const refusal = result ? refused() : null;
		render(dialog, h("form", {
				onsubmit: (/** @type {Event} */ event) => { event.preventDefault();
					confirm(); },
			},
			h("h2", { id: "dialog-title" }, action.title),
			action.fields?.(redo),
			h("section", { class: "preview", "aria-live": "polite", "aria-busy": !result && !
					problem },
				h("h3", null, hasDryRun ? "What this does (dry run)" : "What this does"),
				result ? action.preview(result) : problem ? null :
					quiet(action.request() ? "Asking the server …" :
					action.incomplete?.() ?? "Complete the input above."),
				result ? warnings(result) : null,
				refusal ? h("p", { class: "error" }, refusal) : null,
				problem ? failure(problem) : null,
				problem && action.hint ? quiet(shown(action.hint)) : null),
			hasDryRun ? field("Comment for the history",
				h("textarea", {
					rows: 2,
					maxlength: 1000,
					name: "comment",
					placeholder: "Why?",
					oninput: typed((value) => { comment = value; }),
				})) : null,
			h("div", { class: "buttons" },
				button("Cancel", () => dialog.close()),
				h("button", {
					type: "submit",
					class: action.danger ? "danger" : "primary",
					disabled: !result || isBusy || Boolean(refusal),
				}, action.confirm))));
	};

	dialog.setAttribute("aria-labelledby", "dialog-title");
	dialog.addEventListener("close", () => {
		// A check that is running does not start another one.
		generation += 1;
		clearTimeout(timer);
		dialog.remove();
		opened = null;
		if (opener?.isConnected) opener.focus();
	});
	opened = {
		refresh: () => { if (!isBusy && hasDryRun && checked !== subject()) redo(); },
		close: () => dialog.close(),
	};
	document.body.append(dialog);
	draw();
	dialog.showModal();
	check();
}

/** @param {any} response */
function warnings(response) {
	const texts = list(response.warnings);
	return texts.length === 0 ? null :
		h("ul", { class: "warnings" }, texts.map((/** @type {string} */ text) => h("li", null, shown(
			text))));
}

/**
 * The share of keys that a change moves, as a sentence.
 * @param {number} share
 */
export function movedText(share) {
	return h("p", { class: "moved-share" }, h("b", null, percent(share)),
		" of all shard keys move to another backend.");
}

/**
 * The changes of objects.
 * @param {any[]} changes
 */
export function changesTable(changes) {
	if (changes.length === 0) return h("p", null, "Nothing differs.");
	/** @type {Record<string, string>} */
	const words = { CHANGE_ACTION_ADD: "add", CHANGE_ACTION_CHANGE: "change",
		CHANGE_ACTION_REMOVE: "remove" };
	return h("div", { class: "changes" }, changes.map((change) => h(
		"section", { key: `${change.kind} ${change.name}` },
		h("h4", null, h("span", { class: `tag ${words[change.action] ?? ""}` }, words[change
				.action] ?? "?"),
			` ${change.kind} `, text(change.name),
			change.movedShare > 0 ? dim(` · ${percent(change.movedShare)} of its keys move`) : null),
		change.action !== "CHANGE_ACTION_CHANGE" && change.description ?
		quiet(shown(change.description)) : null,
		list(change.fields).length > 0 ? table({ label: `Changes of ${change.name}` }, ["field",
				"before", "after"], list(change.fields).map((/** @type {any} */ field) => h(
			"tr", { key: field.field },
			h("th", { scope: "row", class: "code" }, shown(field.field)),
			h("td", { class: "code before" }, rounded(field.before)),
			h("td", { class: "code after" }, rounded(field.after))))) : null)));
}

/**
 * A value of a field; a number without the noise of its binary form.
 * @param {string | undefined} value
 */
const rounded = (value) => shown(/^\d+\.\d{9,}$/.test(value ?? "") ?
	Number(Number(value).toFixed(9)) :
	value);
