// The actions that a user with the role may take. Each one opens a dialog with a dry run.

import { box, check, into, select, typed } from "./controls.js";
import { changesTable, movedText, open } from "./dialog.js";
import { h } from "./dom.js";
import { byName, count, list, number, rate, shown, weight } from "./format.js";
import { isRunning } from "./model.js";
import { splitBar, strip } from "./plots.js";
import { leastMoved, moves, parts, withWeights } from "./policy.js";
import { rateOf } from "./series.js";
import { quiet, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

/**
 * The backends without a weight.
 * @param {Page} page
 * @param {any} endpoint
 */
export const otherBackends = (page, endpoint) => [...page.model.backends.keys()].sort(byName)
	.filter((name) => !list(endpoint.weights).some((each) => each.backend === name));

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
	const current = () => page.model.current(endpoint);
	const present = () => list(current().weights).map(
		(each) => ({ backend: each.backend, weight: each.weight ?? 0 }));
	let first = present();
	/** What the user has set, the latest last. */
	const set = new Map();
	/** The boxes whose text is not a share. */
	const invalid = new Set();
	const weights = () => withWeights(first, set);
	let overrides = false;
	const owns = isRunning(page.model.rollouts.get(endpoint.name));
	const names = () => page.model.palette(current(), first.map((each) => each.backend));
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
				h("div", { class: "weights" }, listed.map(({ backend, weight = 0 }) => h(
					"div", { key: backend, class: "weight" },
					h("label", { for: `weight-${backend}` }, text(backend)),
					[{ type: "range", step: 0.5, value: String(weight * 100), id: `weight-${backend}` },
					{ type: "number", step: "any", value: String(Number((weight * 100).toFixed(4))),
						"aria-label": `weight of ${backend} in percent`, onchange: redo },
					].map((props) => h("input", { min: 0, max: 100, disabled: listed.length === 1, ...props,
						oninput: typed((value) => put(backend, value)) })), h("span", null, "%")))),
				others.length > 0 ? select("Add a backend", { name: "add", value: "" }, others, (name) => {
					if (!name) return;
					first = [...first, { backend: name, weight: 0 }].sort((a, b) => byName(a.backend, b
						.backend));
					redo();
				}) : null,
				owns ? check("Override the rollout, which owns the weights; it pauses",
					{ name: "override" }, (is) => {
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
			const [old, proposed] = [parts(list(current().intervals)), parts(list(next.intervals))];
			return [
				movedText(response.movedShare ?? 0),
				splitBar(names(), list(next.weights)),
				strip(names(), old, {
					next: proposed,
					moves: moves(old, proposed),
					label: `the key space now and after the change; ${moves(old, proposed).length} parts move`,
				}),
				response.packed ? h("p", null,
					"The affinity map is packed, which moves more keys than the weights require.") : null,
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
			const changes = list(response.changes);
			const moved = Math.max(0, ...changes.map((each) => each.movedShare ?? 0));
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
			: list(response.changes).length > 0 ? null : "Nothing differs from that revision.",
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
 * The requests per second of the last interval.
 * @param {Page} page
 * @param {any} endpoint
 */
const presentRate = (page, endpoint) => {
	const last = page.model.series.endpoint(endpoint.name).at(-1);
	return last && last.seconds > 0 ? rateOf(last) : 0;
};

/**
 * Adds, changes or removes a shadow.
 * @param {Page} page
 * @param {any} endpoint
 * @param {string} [backend]
 */
export function setShadow(page, endpoint, backend) {
	const known = list(endpoint.shadows).find((each) => each.backend === backend);
	const names = [...page.model.backends.keys()].sort(byName);
	const input = { name: backend ?? "",
		percentage: String(Number(((known?.proportion ?? 0.1) * 100).toFixed(4))) };
	open(page, {
		title: `Shadow of ${endpoint.name}`,
		confirm: "Set shadow",
		method: "ShadowTraffic",
		fields: (redo) => [
			select("Backend", { name: "backend", value: input.name, disabled: backend !== undefined },
				names,
				into(input, "name", redo)),
			box("Share of requests to copy, in percent (0 removes the shadow)", { type: "number",
				name: "proportion", min: 0, max: 100, step: "any", value: input.percentage },
					into(input, "percentage", redo)),
		],
		incomplete: () => "Select a backend and enter the share.",
		// The box is empty also while its text is not a number.
		request: () => input.percentage === "" || input.name === "" ? null :
			({ endpoint: endpoint.name, backend: input.name,
				proportion: Number(input.percentage) / 100 }),
		preview: (next) => {
			const shadow = list(next.shadows).find((each) => each.backend === input.name);
			const now = presentRate(page, endpoint);
			return shadow ? h("p", null,
					`${input.name} receives a copy of ${weight(shadow.proportion)} of the requests, now about ` +
					`${rate(now * shadow.proportion)} per second. Clients do not receive its responses.`
					) : h("p", null, `${input.name} receives no copies.`);
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
			`${list(report.samples).length} samples. The shadow continues.`),
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
			const now = presentRate(page, endpoint);
			const bound = next.rateLimit?.requestsPerSecond;
			return h("p", null, bound === undefined ? "No limit." :
				`At most ${rate(bound)} requests per second; now ${rate(now)}. ` +
				(now > bound ?
					`About ${weight(1 - bound / now)} of the present requests would be rejected.` : ""));
		},
	});
}
