// The section of a rollout: position, evidence over time, and decisions.

import { button } from "./controls.js";
import { decide } from "./decisions.js";
import { h } from "./dom.js";
import { ago, clock, count, list, number, seconds, shown, span, weight, word } from "./format.js";
import { evidenceBand, evidenceRange } from "./plots.js";
import { card, cell, details, quiet, rowHead, table, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */

/**
 * The decisions that are possible in a phase.
 * @param {string} phase
 * @param {string} pause
 */
function possible(phase, pause) {
	switch (phase) {
		case "pending":
		case "settling":
		case "observing":
			return ["PauseRollout", "AdvanceRollout", "PromoteRollout", "AbortRollout"];
		case "baking":
			return ["PauseRollout", "AdvanceRollout", "AbortRollout"];
		case "paused":
			return pause === "approval" ? ["AdvanceRollout", "PromoteRollout", "AbortRollout"] :
				["ResumeRollout", "AdvanceRollout", "PromoteRollout", "AbortRollout"];
		default:
			return [];
	}
}

/**
 * The factor of a gate, "errors<1.5x"; null for a share.
 * @param {string} gate
 */
function gateBound(gate) {
	const match = /<([0-9.]+)x$/.exec(gate);
	return match ? Number(match[1]) : null;
}

/** @param {number | undefined} value */
const ratio = (value) => (value === undefined || !Number.isFinite(Number(value)) ? "–" :
	Number(value) >= 100 ? "> 100" : `${Number(value).toFixed(2)}×`);

/** Evidence in words: how often it would arise by chance is one in this number.
 * @param {number} log */
const strength = (log) => (log > 20 ? `10^${(log / Math.LN10).toFixed(0)}` : Math.exp(log).toFixed(
	log > 3 ? 0 : 2));

/**
 * @param {Page} page
 * @param {any} endpoint
 * @param {any} rollout
 */
export function rolloutSection(page, endpoint, rollout) {
	const { model } = page;
	const phase = word(rollout.phase, "ROLLOUT_PHASE_");
	const hasEnded = phase === "aborted" || phase === "succeeded";
	const plan = rollout.plan ?? {};
	const steps = list(plan.steps);
	const step = number(rollout.step);
	const states = model.evidence.get(endpoint.name)?.states ?? [];
	const may = model.may(endpoint.name);
	const level = phase === "aborting" || phase === "aborted" ? 2 : phase === "paused" ? 1 : 0;
	return card("rollout", ["Rollout to ", text(plan.candidate)],
		h("p", { class: `phase problem level-${level}` }, h("b", null, phase),
			` · step ${step + 1} of ${steps.length}`,
			` · candidate ${weight(rollout.weight)}`, rollout.shadow > 0 ?
			` · shadow ${weight(rollout.shadow)}` : "",
			` · ${count(rollout.requests)} requests in this step`, rollout.inPhase ?
			` · ${span(seconds(rollout.inPhase))} in this phase` : ""),
		rollout.reason ? h("p", null, text(rollout.reason)) : null,
		h("ol", { class: "rollout-steps" }, steps.map((/** @type {string} */
			text, /** @type {number} */ index) => h("li", {
			class: phase === "succeeded" || index < step ? "done" : index === step ? "now" : "",
			"aria-current": index === step && !hasEnded ? "step" : null,
		}, shown(text, 40)))),
		may && !hasEnded ? h("div", { class: "actions", role: "group", "aria-label": "Decisions" },
			possible(phase, rollout.pause ?? "").map((
				method) => button(`${method.replace("Rollout", "")} …`,
				() => decide(page, model.current(endpoint), method),
				{ key: method, class: method === "AbortRollout" ? "danger" : "" }))) : null,
		gates(rollout, states),
		quiet(`Started ${ago(rollout.started)} (${clock(rollout.started)}) by `,
			text(rollout.author, 128), "."),
		rollout.webhookProblem ? h("p", { class: "problem level-1" },
			`Webhook: ${shown(rollout.webhookProblem)}`) : null);
}

/** @type {(state: any, gate: any) => any} */
const ownGate = (state, gate) => list(state.gates).find((each) => each.gate === gate.gate);

/**
 * @param {any} rollout
 * @param {any[]} states
 */
function gates(rollout, states) {
	const all = list(rollout.gates);
	if (all.length === 0) return quiet("No evidence yet.");
	return [
		h("p", null, "Evidence against the candidate: ", h("b", null, strength(rollout.logFailure ??
				0)), " of ",
			h("b", null, strength(rollout.logThreshold ?? 0)), ", at which the rollout aborts."),
		quiet("The bands are the interval of the ratio of candidate to baseline since " +
			"this page follows the rollout, logarithmic. Solid: equal; dashed: the gate."),
		h("div", { class: "gates" }, all.map((gate) => {
			const over = states.flatMap((state) => {
				const own = ownGate(state, gate);
				return own?.ratio ? [{
					time: state.time,
					lower: Number(own.ratio.lower ?? 0),
					upper: Number(own.ratio.upper ?? Infinity),
					...(own.ratio.estimate === undefined ? {} : { estimate: Number(own.ratio.estimate) }),
				}] : [];
			});
			const bound = gateBound(gate.gate);
			const last = gate.ratio;
			return h("figure", { key: gate.gate }, h("figcaption", null, h("b", { class: "code" },
						shown(gate.gate, 60)),
					gate.passed ? h("span", { class: "tag add" }, "passed") : null),
				over.length > 1 ? evidenceBand(over, bound,
					`${gate.gate}: the ratio of candidate and baseline with its interval over ${over.length} states`
					) : null,
				over.length > 1 ? h("p", { class: "axis quiet" }, h("span", null, clock(over[0]?.time)
					.slice(11)), h("span", null, evidenceRange(over, bound).map((each) => `${each}×`)
					.join(" to ")), h("span", null, "now")) : null,
				h("dl", null, [["ratio", ratio(last?.estimate)],
					["interval", last ? `${ratio(last.lower)} to ${ratio(last.upper)}` : "–"],
					["bad, candidate", `${count(gate.candidateBad)} of ${count(gate.requests)}`],
					["bad, baseline", count(gate.baselineBad)],
					["evidence", strength(gate.logFailure ?? 0)],
				].map(([name, value]) => [h("dt", null, name), h("dd", null, value)])));
		})),
		states.length > 1 ? details("The evidence as a table",
			table({ label: "Evidence over time" }, ["time", "#weight", "#evidence", ...all.map((
				gate) => `#${shown(gate.gate, 60)}`)],
				states.slice(-30).reverse().map((state) => h("tr", { key: String(state.time) },
					rowHead(clock(state.time).slice(11)),
					cell(weight(state.weight)), cell(strength(state.logFailure ?? 0)),
					all.map((gate) => {
						const own = ownGate(state, gate);
						return cell(own?.ratio ?
							`${ratio(own.ratio.lower)} – ${ratio(own.ratio.upper)}` : "–");
					}))))) : null,
	];
}
