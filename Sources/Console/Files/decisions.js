// The actions of rollouts and the freeze of changes. Each one opens a dialog with a dry run.

import { otherBackends } from "./actions.js";
import { box, check, field, into, select, typed } from "./controls.js";
import { open } from "./dialog.js";
import { h } from "./dom.js";
import { clock, list, number, rate, seconds, serverTime, shown, span, weight,
	zone } from "./format.js";
import { splitBar } from "./plots.js";
import { cell, quiet, rowHead, table } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

/**
 * Starts a rollout.
 * @param {Page} page
 * @param {any} endpoint
 */
export function startRollout(page, endpoint) {
	const weighted = list(endpoint.weights).filter((each) => each.weight > 0);
	const names = otherBackends(page, { weights: weighted });
	const input = { candidate: "", steps: "5%, 25%, 50%, 100%", gates: "", minimum: "60" };
	let approval = false;
	const words = (/** @type {string} */ text) => text.replaceAll(" ", "").split(",").filter(Boolean);
	open(page, {
		title: `Start a rollout of ${endpoint.name}`,
		confirm: "Start rollout",
		method: "StartRollout",
		fields: (redo) => [
			select("Candidate", { name: "candidate", value: input.candidate }, names,
				into(input, "candidate", redo)),
			box("Steps", { type: "text", name: "steps", value: input.steps }, into(input, "steps", redo)),
			box("Gates (empty for errors<1.5x, p99<1.5x, codes<2x)", { type: "text", name: "gates",
				value: input.gates }, into(input, "gates", redo)),
			box("Minimum duration of each step, in seconds", { type: "number", name: "minimum", min: 1,
				value: input.minimum }, into(input, "minimum", redo)),
			check("Each step waits for an approval", { name: "approval" }, (is) => { approval = is;
				redo(); }),
		],
		incomplete: () => "Select the candidate: the backend that shall receive the requests.",
		request: () => input.candidate === "" ? null : {
			endpoint: endpoint.name,
			plan: {
				candidate: input.candidate,
				steps: words(input.steps),
				gates: words(input.gates),
				approval,
				...(number(input.minimum) > 0 ? { minimum: `${number(input.minimum)}s` } : {}),
			},
		},
		preview: (response) => [
			quiet(`Based on ${rate(response.requestsPerSecond ?? 0)} requests per second and ` +
				`${weight(response.errorShare ?? 0)} errors.`),
			table({ label: "Steps", class: "" }, ["step", "#keys that move", "#time to proof"],
				list(response.preview).map((step) => h("tr", { key: step.step },
				rowHead(step.step), cell(weight(step.movedShare)),
				cell(step.timeToProof ? span(seconds(step.timeToProof)) : "not at this step")))),
		],
	});
}

/** @type {Record<string, {title: string, confirm: string, danger?: boolean, text: string}>} */
const decisions = {
	PauseRollout: { title: "Pause the rollout", confirm: "Pause",
		text: "All automatic changes stop; the weights stay." },
	ResumeRollout: { title: "Resume the rollout", confirm: "Resume",
	text: "The rollout continues." },
	AdvanceRollout: { title: "Advance the rollout", confirm: "Advance",
		text: "The next step begins, complete or not." },
	PromoteRollout: { title: "Promote the candidate", confirm: "Promote", danger: true,
		text: "All requests are routed to the candidate at once, without more evidence." },
	AbortRollout: { title: "Abort the rollout", confirm: "Abort", danger: true,
		text: "The weights return to those before the rollout." },
};

/**
 * Decides about a rollout.
 * @param {Page} page
 * @param {any} endpoint
 * @param {string} method
 */
export function decide(page, endpoint, method) {
	const decision = decisions[method];
	if (!decision) return;
	const rollout = page.model.rollouts.get(endpoint.name) ?? {};
	let choice = "adopt";
	let isImmediate = false;
	const needsChoice = method === "ResumeRollout" && rollout.pause === "other_change";
	open(page, {
		title: `${decision.title} of ${endpoint.name}`,
		confirm: decision.confirm,
		method,
		danger: decision.danger === true,
		fields: (redo) => [
			needsChoice ? field("The weights were changed by another actor", h("select", {
					name: "choice",
					value: choice,
					onchange: typed((value) => { choice = value;
						redo(); }),
				}, h("option", { value: "adopt" }, "continue from the present weights"),
				h("option", { value: "restore" }, "set the weights of the step again"))) : null,
			method === "AbortRollout" && (rollout.plan?.abort ?? "").startsWith("ramp") ?
			check("At once, without the ramp of the plan", { name: "immediate" },
				(is) => { isImmediate = is;
				redo(); }) : null,
		],
		request: () => ({
			endpoint: endpoint.name,
			...(needsChoice ? {
				[choice]: true } : {}),
			...(isImmediate ? { immediate: true } : {}),
		}),
		preview: (next) => {
			const baseline = list(rollout.baseline);
			return [
				h("p", null, decision.text),
				h("p", null,
					`The weight of ${rollout.plan?.candidate}: now ${weight(rollout.weight)}, then `,
					h("b", null, weight(next.weight)), "."),
				method === "AbortRollout" && baseline.length > 0 ?
				[quiet("The weights before the rollout:"), splitBar(page.model
					.palette(endpoint), baseline)] : null,
				next.reason ? quiet(shown(next.reason)) : null,
			];
		},
	});
}

/**
 * Begins or ends a freeze of all changes.
 * @param {Page} page
 */
export function setFreeze(page) {
	const isFrozen = Boolean(page.model.freeze);
	const input = { reason: "", minutes: "60" };
	// The whole minutes, so that the time stays while the user reads it.
	const end = () => new Date(Math.ceil(serverTime() / 60_000 + number(input.minutes)) * 60_000)
		.toISOString();
	open(page, {
		title: isFrozen ? "End the freeze" : "Freeze all changes",
		confirm: isFrozen ? "End freeze" : "Freeze",
		method: "SetFreeze",
		danger: !isFrozen,
		fields: (redo) => isFrozen ? null : [
			box("Reason (required)", { type: "text", name: "reason", maxlength: 500,
				value: input.reason },
				into(input, "reason", redo)),
			box("Minutes (empty: until an admin ends it)", { type: "number", name: "minutes", min: 1,
				max: 500_000, value: input.minutes }, into(input, "minutes", redo)),
		],
		request: () => {
			if (isFrozen) return { frozen: false };
			if (input.reason.trim() === "") return null;
			if (input.minutes !== "" && !(number(input.minutes) >= 1 && number(input.minutes) <= 500_000)) return null;
			const until = input.minutes ? { until: end() } : {};
			return { frozen: true, reason: input.reason, ...until };
		},
		incomplete: () => "Enter the reason, and minutes from 1 to 500000 or none.",
		preview: () => h("p", null, isFrozen ? "The server accepts changes again." :
			"The server rejects all changes except rollbacks, kept weights, pauses and aborts of rollouts, " +
			(input.minutes ? `until ${clock(end())} (${zone()}).` : "until an admin ends the freeze.")),
	});
}
