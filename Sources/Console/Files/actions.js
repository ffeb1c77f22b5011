// The actions that a user with the role may take. Each one opens a dialog with a dry run.

import { changesTable, movedText, open } from "./dialog.js";
import { h } from "./dom.js";
import { byName, count, number, rate, shown, weight } from "./format.js";
import { isRunning } from "./model.js";
import { splitBar, strip } from "./plots.js";
import { leastMoved, moves, parts, withWeights } from "./policy.js";
import { quiet, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

/**
 * A labelled control.
 * @param {string} label
 * @param {...import("./dom.js").Loose} control
 */
export const field = (label, ...control) => h("label", { class: "field" }, label, control);

/**
 * A labelled box.
 * @param {string} label
 * @param {Record<string, any>} props
 * @param {(value: string, isInvalid: boolean) => void} set
 */
export const box = (label, props, set) => field(label, h("input", {
	...props,
	oninput: (/** @type {any} */ event) => set(event.target.value, event.target.validity.badInput),
}));

/**
 * A labelled box with a list of backends.
 * @param {string} label
 * @param {Record<string, any>} props
 * @param {string[]} names
 * @param {(value: string) => void} set
 */
export const backendBox = (label, props, names, set) => field(label, h("select", {
	...props,
	onchange: (/** @type {any} */ event) => set(event.target.value),
}, h("option", { value: "" }, "Select …"), names.map((each) => h("option", { value: each,
	key: each }, each))));

/**
 * A box to check.
 * @param {string} label
 * @param {string} name
 * @param {(isChecked: boolean) => void} set
 */
export const check = (label, name, set) => h("label", { class: "check" }, h("input", {
	type: "checkbox",
	name,
	onchange: (/** @type {any} */ event) => set(event.target.checked),
}), ` ${label}`);

/**
 * The backends without a weight.
 * @param {Page} page
 * @param {any} endpoint
 */
export const otherBackends = (page, endpoint) => [...page.model.backends.keys()].sort(byName).filter(
	(name) => !(endpoint.weights ?? []).some((/** @type {any} */ each) => each.backend === name));

/**
 * Whether weights are equal. A weight of 0 is none.
 * @param {import("./policy.js").Weight[]} left
 * @param {import("./policy.js").Weight[]} right
 */
const same = (left, right) => leastMoved(left, right) < 1e-9 && leastMoved(right, left) < 1e-9;

/**
 * Sets the weights.
 * @param {Page} page
 * @param {any} endpoint
 */
export function setTraffic(page, endpoint) {
	// Others may change the endpoint while the dialog is open.
	const current = () => page.model.endpoints.get(endpoint.name) ?? endpoint;
	const present = () => (current().weights ?? []).map(
		(/** @type {any} */ each) => ({ backend: each.backend, weight: each.weight ?? 0 }));
	let first = present();
	/** What the user has set, the latest last. */
	const set = new Map();
	/** The boxes whose text is not a share. */
	const invalid = new Set();
	const weights = () => withWeights(first, set);
	let overrides = false;
	const owns = isRunning(page.model.rollouts.get(endpoint.name));
	const names = () => page.model.palette(current(), first.map((/** @type {any} */ each) => each
		.backend));
	open(page, {
		title: `Set the traffic of ${endpoint.name}`,
		confirm: "Set traffic",
		method: "SetTraffic",
		fields: (redo) => {
			const put = (/** @type {string} */ backend, /** @type {string} */ text) => {
				const share = Number(text) / 100;
				const isValid = text !== "" && share >= 0 && share <= 1;
				if (isValid) {
					set.delete(backend);
					set.set(backend, share);
					invalid.delete(backend);
				} else {
					invalid.add(backend);
				}
				redo();
			};
			const listed = weights();
			const others = otherBackends(page, { weights: listed });
			return [
				h("div", { class: "weights" }, listed.map((/** @type {any} */ each) => h(
					"div", { key: each.backend, class: "weight" },
					h("label", { for: `weight-${each.backend}` }, h("bdi", null, each.backend)),
					h("input", {
						type: "range",
						min: 0,
						max: 100,
						step: 0.5,
						value: String(each.weight * 100),
						id: `weight-${each.backend}`,
						disabled: listed.length === 1,
						oninput: (/** @type {any} */ event) => put(each.backend, event.target.value),
					}),
					h("input", {
						type: "number",
						min: 0,
						max: 100,
						step: "any",
						value: String(Number((each.weight * 100).toFixed(4))),
						"aria-label": `weight of ${each.backend} in percent`,
						disabled: listed.length === 1,
						oninput: (/** @type {any} */ event) => put(each.backend, event.target.value),
						onchange: redo,
					}), h("span", null, "%")))),
				others.length > 0 ? backendBox("Add a backend", { name: "add", value: "" }, others, (name) => {
					if (!name) return;
					first = [...first, { backend: name, weight: 0 }].sort((a, b) => byName(a.backend, b
						.backend));
					redo();
				}) : null,
				owns ? check("Override the rollout, which owns the weights; it pauses", "override", (is) => {
					overrides = is;
					redo();
				}) : null,
			];
		},
		incomplete: () => "Enter numbers from 0 to 100.",
		request: () => invalid.size > 0 ? null : ({
			endpoint: endpoint.name,
			weights: weights(),
			...(overrides ? { overrideRollout: true } : {}),
		}),
		preview: (response) => {
			const next = response.endpoint ?? {};
			const [old, proposed] = [parts(current().intervals ?? []), parts(next.intervals ??
				[])];
			return [
				movedText(response.movedShare ?? 0),
				splitBar(names(), next.weights ?? []),
				strip(names(), old, {
					next: proposed,
					moves: moves(old, proposed),
					label: `the key space now and after the change; ${moves(old, proposed).length} parts move`,
				}),
				response.packed ? h("p", null,
					"The affinity map is packed, which moves more keys than the weights require.") :
				null,
			];
		},
		refuse: () => same(weights(), present()) ? "The endpoint has these weights already." : null,
	});
}

/**
 * Undoes the latest change of an endpoint.
 * @param {Page} page
 * @param {any} endpoint
 */
export function undo(page, endpoint) {
	const change = page.model.lastChange(endpoint);
	rollBack(page, number(endpoint.revision) - 1, endpoint.name, {
		title: `Undo the last change of ${endpoint.name}`,
		text: ["This reverts revision ", String(endpoint.revision), change?.summary ? [": ", text(change
			.summary, 300), " by ", text(change.author, 128)] : ""],
		revision: endpoint.revision,
	});
}

/**
 * @param {Page} page
 * @param {number} revision
 * @param {string} endpoint empty for all
 * @param {{title: string, text: import("./dom.js").Loose, revision: string}} [undone] the change
 *   that the user undoes
 */
export function rollBack(page, revision, endpoint, undone) {
	const { model } = page;
	open(page, {
		title: undone?.title ?? `Restore ${endpoint || "all endpoints"} to revision ${revision}`,
		confirm: undone ? "Undo" : "Restore",
		method: "Rollback",
		hint: endpoint === "" ? "" : "If that change created the endpoint, delete it instead: " +
			`weir endpoint delete ${endpoint}`,
		request: () => ({ revision: String(revision), endpoint }),
		preview: (response) => {
			const changes = response.changes ?? [];
			const moved = Math.max(0, ...changes.map((/** @type {any} */ each) => each
				.movedShare ?? 0));
			const rollout = model.rollouts.get(endpoint);
			return [
				quiet(undone ? undone.text : `This restores the state of revision ${revision}`,
					", including the affinity map."),
				isRunning(rollout) ? warning("A rollout is running, and this changes it. Its button Abort ends it.") :
				undone && rollout?.phase === "ROLLOUT_PHASE_ABORTED" && changes.length > 0 ? warning(
					`The last rollout was aborted. This may send requests to ${rollout.plan?.candidate} again, ` +
					"without a rollout.") : null,
				changes.length > 0 ? movedText(moved) : null, changesTable(changes),
			];
		},
		refuse: (response) => undone && model.endpoints.get(endpoint)?.revision !== undone.revision ?
			"The endpoint was changed again after this dialog opened. Close it, and undo the latest change."
			: (response.changes ?? []).length > 0 ? null : "Nothing differs from that revision.",
	});
}

/** @param {string} message */
const warning = (message) => h("p", { class: "notice" }, shown(message));

/**
 * Keeps the weights of a change that would revert.
 * @param {Page} page
 * @param {any} endpoint
 */
export function confirmTraffic(page, endpoint) {
	open(page, {
		title: `Keep the weights of ${endpoint.name}`,
		confirm: "Keep weights",
		method: "ConfirmTraffic",
		request: () => ({ endpoint: endpoint.name }),
		preview: () => h("p", null, "The weights stay; they no longer revert."),
	});
}

/**
 * Adds, changes or removes a shadow.
 * @param {Page} page
 * @param {any} endpoint
 * @param {string} [backend]
 */
export function setShadow(page, endpoint, backend) {
	const known = (endpoint.shadows ?? []).find((/** @type {any} */ each) => each.backend ===
		backend);
	const names = [...page.model.backends.keys()].sort(byName);
	let name = backend ?? "";
	let percentage = String(Number(((known?.proportion ?? 0.1) * 100).toFixed(4)));
	open(page, {
		title: `Shadow of ${endpoint.name}`,
		confirm: "Set shadow",
		method: "ShadowTraffic",
		fields: (redo) => [
			backendBox("Backend", { name: "backend", value: name, disabled: backend !== undefined }, names,
				(value) => { name = value;
					redo(); }),
			box("Share of requests to copy, in percent (0 removes the shadow)", { type: "number",
				name: "proportion", min: 0, max: 100, step: "any", value: percentage }, (value) => {
				percentage = value;
				redo();
			}),
		],
		incomplete: () => "Select a backend and enter the share.",
		// The box is empty also while its text is not a number.
		request: () => percentage === "" || name === "" ? null :
			({ endpoint: endpoint.name, backend: name, proportion: Number(percentage) / 100 }),
		preview: (next) => {
			const shadow = (next.shadows ?? []).find((/** @type {any} */ each) => each.backend ===
				name);
			const load = page.model.series.endpoint(endpoint.name).at(-1);
			const now = load && load.seconds > 0 ? load.requests / load.seconds : 0;
			return shadow ?
				h("p", null,
					`${name} receives a copy of ${weight(shadow.proportion)} of the requests, now about ` +
					`${rate(now * shadow.proportion)} per second. Clients do not receive its responses.`
					) :
				h("p", null, `${name} receives no copies.`);
		},
	});
}

/**
 * Resets the reports of shadows.
 * @param {Page} page
 * @param {any} endpoint
 * @param {any} report
 */
export function resetShadow(page, endpoint, report) {
	open(page, {
		title: `Reset the report of ${report.backend}`,
		confirm: "Reset report",
		method: "ResetShadowReport",
		hasDryRun: false,
		danger: true,
		request: () => ({ endpoint: endpoint.name, backend: report.backend }),
		preview: () => h("p", null,
			`Deletes the results of ${count(report.compared)} compared pairs of responses and ` +
			`${(report.samples ?? []).length} samples. The shadow continues.`),
	});
}

/**
 * Sets or removes the rate limit.
 * @param {Page} page
 * @param {any} endpoint
 */
export function setRateLimit(page, endpoint) {
	const limit = endpoint.rateLimit;
	let text = limit ? String(limit.requestsPerSecond) : "";
	let burst = limit?.burst ? String(limit.burst) : "";
	/** The boxes whose text is not a number. */
	const invalid = new Set();
	const note = (/** @type {string} */ name, /** @type {boolean} */ isInvalid) => {
		if (isInvalid) invalid.add(name);
		else invalid.delete(name);
	};
	open(page, {
		title: `Rate limit of ${endpoint.name}`,
		confirm: "Set rate limit",
		method: "SetRateLimit",
		fields: (redo) => [
			box("Requests per second on each server (empty for no limit)", { type: "number",
				name: "limit", min: 0, step: "any", value: text }, (value, isInvalid) => {
				text = value;
				note("limit", isInvalid);
				redo();
			}),
			box("Burst (empty for the requests of one second)", { type: "number", name: "burst", min: 0,
				step: 1, value: burst }, (value, isInvalid) => {
				burst = value;
				note("burst", isInvalid);
				redo();
			}),
		],
		incomplete: () => "Enter numbers.",
		request: () => invalid.size > 0 ? null : ({
			endpoint: endpoint.name,
			...(text === "" ? {} : { rateLimit: { requestsPerSecond: Number(text), burst: Number(
						burst) || 0 } }),
		}),
		preview: (next) => {
			const load = page.model.series.endpoint(endpoint.name).at(-1);
			const now = load && load.seconds > 0 ? load.requests / load.seconds : 0;
			const bound = next.rateLimit?.requestsPerSecond;
			return h("p", null, bound === undefined ? "No limit." :
				`At most ${rate(bound)} requests per second; now ${rate(now)}. ` +
				(now > bound ?
					`About ${weight(1 - bound / now)} of the present requests would be rejected.` : ""
					));
		},
	});
}
