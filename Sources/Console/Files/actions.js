// The actions that a user with the role may take. Each one opens a dialog with a dry run.

import { changesTable, movedText, open } from "./dialog.js";
import { h } from "./dom.js";
import { count, number, rate, shown, span, seconds, weight } from "./format.js";
import { splitBar, strip } from "./plots.js";
import { leastMoved, moves, parts, withWeight } from "./policy.js";

/** @typedef {import("./dialog.js").Page} Page */

/**
 * A labelled control.
 * @param {string} label
 * @param {...import("./dom.js").Loose} control
 */
const field = (label, ...control) => h("label", { class: "field" }, label, control);

/**
 * The backends without a weight.
 * @param {Page} page
 * @param {any} endpoint
 */
const otherBackends = (page, endpoint) => [...page.model.backends.keys()].sort().filter(
  (name) => !(endpoint.weights ?? []).some((/** @type {any} */ each) => each.backend === name));

/**
 * Sets the weights.
 * @param {Page} page
 * @param {any} endpoint
 */
export function setTraffic(page, endpoint) {
  const before = (endpoint.weights ?? []).map(
    (/** @type {any} */ each) => ({ backend: each.backend, weight: each.weight ?? 0 }));
  let weights = before;
  let overrides = false;
  const rollout = page.model.rollouts.get(endpoint.name);
  const owns = rollout && !["ROLLOUT_PHASE_ABORTED", "ROLLOUT_PHASE_SUCCEEDED"].includes(rollout.phase);
  const names = () => [...new Set(
    [...page.model.names(endpoint), ...weights.map((/** @type {any} */ each) => each.backend)])].sort();
  open(page, {
    title: `Set the traffic of ${endpoint.name}`, confirm: "Set traffic", method: "SetTraffic",
    fields: (redo) => {
      const set = (/** @type {string} */ backend, /** @type {number} */ value) => {
        weights = withWeight(weights, backend, value);
        redo();
      };
      const others = otherBackends(page, { weights });
      return [
        h("div", { class: "weights" }, weights.map((/** @type {any} */ each) => h("div", { key: each.backend, class: "weight" },
          h("label", { for: `weight-${each.backend}` }, h("bdi", null, each.backend)),
          h("input", {
            type: "range", min: 0, max: 100, step: 0.5, value: String(each.weight * 100),
            id: `weight-${each.backend}`, disabled: weights.length === 1,
            oninput: (/** @type {any} */ event) => set(each.backend, Number(event.target.value) / 100),
          }),
          h("input", {
            type: "number", min: 0, max: 100, step: "any", value: String(Number((each.weight * 100).toFixed(2))),
            "aria-label": `weight of ${each.backend} in percent`, disabled: weights.length === 1,
            onchange: (/** @type {any} */ event) => set(each.backend, Number(event.target.value) / 100),
          }), h("span", null, "%")))),
        others.length > 0 ? field("Add a backend", h("select", {
          name: "add", value: "",
          onchange: (/** @type {any} */ event) => {
            if (!event.target.value) return;
            weights = [...weights, { backend: event.target.value, weight: 0 }].sort(
              (a, b) => (a.backend < b.backend ? -1 : 1));
            redo();
          },
        }, h("option", { value: "" }, "–"), others.map((name) => h("option", { value: name, key: name }, name)))) : null,
        owns ? h("label", { class: "check" }, h("input", {
          type: "checkbox", name: "override",
          onchange: (/** @type {any} */ event) => { overrides = event.target.checked; redo(); },
        }), " Override the rollout, which owns the weights; it pauses") : null,
        h("p", { class: "quiet" }, `At least ${weight(leastMoved(before, weights))} of all keys move.`),
      ];
    },
    request: () => ({
      endpoint: endpoint.name, weights, ...(overrides ? { overrideRollout: true } : {}),
    }),
    preview: (response) => {
      const next = response.endpoint ?? {};
      const [old, proposed] = [parts(endpoint.intervals ?? []), parts(next.intervals ?? [])];
      return [
        movedText(response.movedShare ?? 0),
        splitBar(names(), next.weights ?? []),
        strip(names(), old, {
          next: proposed, moves: moves(old, proposed),
          label: `the key space now and after the change; ${moves(old, proposed).length} parts move`,
        }),
        response.packed ? h("p", null, "The affinity map is packed, which moves more keys than the weights require.") : null,
      ];
    },
  });
}

/**
 * Undoes the latest change of an endpoint.
 * @param {Page} page
 * @param {any} endpoint
 */
export function undo(page, endpoint) {
  rollBack(page, number(endpoint.revision) - 1, endpoint.name,
    `Undo the last change of ${endpoint.name}`);
}

/**
 * @param {Page} page
 * @param {number} revision
 * @param {string} endpoint empty for all
 * @param {string} [title]
 */
export function rollBack(page, revision, endpoint, title) {
  open(page, {
    title: title ?? `Restore ${endpoint || "all endpoints"} to revision ${revision}`,
    confirm: title ? "Undo" : "Restore", method: "Rollback",
    request: () => ({ revision: String(revision), endpoint }),
    preview: (response) => {
      const changes = response.changes ?? [];
      const moved = Math.max(0, ...changes.map((/** @type {any} */ each) => each.movedShare ?? 0));
      return [
        h("p", { class: "quiet" }, `This restores the state of revision ${revision}, including its affinity map.`),
        changes.length > 0 ? movedText(moved) : null, changesTable(changes),
      ];
    },
    refuse: (response) => {
      const changes = response.changes ?? [];
      if (changes.length === 0) return "Nothing differs from that revision.";
      return endpoint && changes.some((/** @type {any} */ each) => each.action === "CHANGE_ACTION_REMOVE")
        ? "The last change created the endpoint. Undoing it would delete the endpoint: use the tool for that."
        : null;
    },
  });
}

/**
 * Keeps the weights of a change that would revert.
 * @param {Page} page
 * @param {any} endpoint
 */
export function confirmTraffic(page, endpoint) {
  open(page, {
    title: `Keep the weights of ${endpoint.name}`, confirm: "Keep weights", method: "ConfirmTraffic",
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
  const known = (endpoint.shadows ?? []).find((/** @type {any} */ each) => each.backend === backend);
  const names = [...page.model.backends.keys()].sort();
  const weighted = new Set((endpoint.weights ?? []).map((/** @type {any} */ each) => each.backend));
  let name = backend ?? names.find((each) => !weighted.has(each)) ?? names[0] ?? "";
  let proportion = known?.proportion ?? 0.1;
  open(page, {
    title: `Shadow of ${endpoint.name}`, confirm: "Set shadow", method: "ShadowTraffic",
    fields: (redo) => [
      field("Backend", h("select", {
        name: "backend", value: name, disabled: backend !== undefined,
        onchange: (/** @type {any} */ event) => { name = event.target.value; redo(); },
      }, names.map((each) => h("option", { value: each, key: each }, each)))),
      field("Share of requests to copy, in percent (0 removes the shadow)", h("input", {
        type: "number", name: "proportion", min: 0, max: 100, step: "any",
        value: String(Number((proportion * 100).toFixed(4))),
        onchange: (/** @type {any} */ event) => { proportion = Number(event.target.value) / 100; redo(); },
      })),
    ],
    request: () => ({ endpoint: endpoint.name, backend: name, proportion }),
    preview: (next) => {
      const shadow = (next.shadows ?? []).find((/** @type {any} */ each) => each.backend === name);
      const load = page.model.series.endpoint(endpoint.name).at(-1);
      const now = load && load.seconds > 0 ? load.requests / load.seconds : 0;
      return shadow
        ? h("p", null, `${name} receives a copy of ${weight(shadow.proportion)} of the requests, now about `
          + `${rate(now * shadow.proportion)} per second. Clients do not receive its responses.`)
        : h("p", null, `${name} receives no copies.`);
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
    title: `Reset the report of ${report.backend}`, confirm: "Reset report", method: "ResetShadowReport",
    hasDryRun: false, danger: true,
    request: () => ({ endpoint: endpoint.name, backend: report.backend }),
    preview: () => h("p", null, `Deletes the results of ${count(report.compared)} compared pairs of responses and `
      + `${(report.samples ?? []).length} samples. The shadow continues.`),
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
  open(page, {
    title: `Rate limit of ${endpoint.name}`, confirm: "Set rate limit", method: "SetRateLimit",
    fields: (redo) => [
      field("Requests per second on each server (empty for no limit)", h("input", {
        type: "number", name: "limit", min: 0, step: "any", value: text,
        oninput: (/** @type {any} */ event) => { text = event.target.value; redo(); },
      })),
      field("Burst (empty for the requests of one second)", h("input", {
        type: "number", name: "burst", min: 0, step: 1, value: burst,
        oninput: (/** @type {any} */ event) => { burst = event.target.value; redo(); },
      })),
    ],
    request: () => ({
      endpoint: endpoint.name,
      ...(text === "" ? {} : { rateLimit: { requestsPerSecond: Number(text), burst: Number(burst) || 0 } }),
    }),
    preview: (next) => {
      const load = page.model.series.endpoint(endpoint.name).at(-1);
      const now = load && load.seconds > 0 ? load.requests / load.seconds : 0;
      const bound = next.rateLimit?.requestsPerSecond;
      return h("p", null, bound === undefined ? "No limit."
        : `At most ${rate(bound)} requests per second; now ${rate(now)}. `
          + (now > bound ? `About ${weight(1 - bound / now)} of the present requests would be rejected.` : ""));
    },
  });
}

/**
 * Starts a rollout.
 * @param {Page} page
 * @param {any} endpoint
 */
export function startRollout(page, endpoint) {
  const names = [...page.model.backends.keys()].sort();
  const main = [...(endpoint.weights ?? [])].sort((a, b) => (b.weight ?? 0) - (a.weight ?? 0))[0]?.backend;
  let candidate = otherBackends(page, endpoint)[0] ?? names.find((each) => each !== main) ?? "";
  let steps = "5%, 25%, 50%, 100%";
  let gates = "";
  let minimum = "60";
  let approval = false;
  const words = (/** @type {string} */ text) => text.split(",").map((each) => each.trim()).filter(Boolean);
  open(page, {
    title: `Start a rollout of ${endpoint.name}`, confirm: "Start rollout", method: "StartRollout",
    fields: (redo) => [
      field("Candidate", h("select", {
        name: "candidate", value: candidate,
        onchange: (/** @type {any} */ event) => { candidate = event.target.value; redo(); },
      }, names.map((each) => h("option", { value: each, key: each }, each)))),
      field("Steps", h("input", {
        type: "text", name: "steps", value: steps, spellcheck: "false",
        oninput: (/** @type {any} */ event) => { steps = event.target.value; redo(); },
      })),
      field("Gates (empty for errors<1.5x, p99<1.5x, codes<2x)", h("input", {
        type: "text", name: "gates", value: gates, spellcheck: "false",
        oninput: (/** @type {any} */ event) => { gates = event.target.value; redo(); },
      })),
      field("Least seconds of each step", h("input", {
        type: "number", name: "minimum", min: 1, value: minimum,
        oninput: (/** @type {any} */ event) => { minimum = event.target.value; redo(); },
      })),
      h("label", { class: "check" }, h("input", {
        type: "checkbox", name: "approval",
        onchange: (/** @type {any} */ event) => { approval = event.target.checked; redo(); },
      }), " Each step waits for an approval"),
    ],
    request: () => candidate === "" ? null : {
      endpoint: endpoint.name,
      plan: {
        candidate, steps: words(steps), gates: words(gates), approval,
        ...(number(minimum) > 0 ? { minimum: `${number(minimum)}s` } : {}),
      },
    },
    preview: (response) => [
      h("p", { class: "quiet" }, `Based on ${rate(response.requestsPerSecond ?? 0)} requests per second and `
        + `${weight(response.errorShare ?? 0)} errors.`),
      h("div", { class: "scroll" }, h("table", null, h("thead", null, h("tr", null, h("th", null, "step"),
        h("th", { class: "number" }, "keys that move"), h("th", { class: "number" }, "time to proof"))),
      h("tbody", null, (response.preview ?? []).map((/** @type {any} */ step) => h("tr", { key: step.step },
        h("th", { scope: "row" }, step.step), h("td", { class: "number" }, weight(step.movedShare)),
        h("td", { class: "number" }, step.timeToProof ? span(seconds(step.timeToProof)) : "not at this step")))))),
    ],
  });
}

/** @type {Record<string, {title: string, confirm: string, danger?: boolean, text: string}>} */
const decisions = {
  PauseRollout: { title: "Pause the rollout", confirm: "Pause", text: "All automatic changes stop; the weights stay." },
  ResumeRollout: { title: "Resume the rollout", confirm: "Resume", text: "The rollout continues." },
  AdvanceRollout: { title: "Advance the rollout", confirm: "Advance", text: "The next step begins, complete or not." },
  PromoteRollout: { title: "Promote the candidate", confirm: "Promote", danger: true, text: "All requests are routed to the candidate at once, without more evidence." },
  AbortRollout: { title: "Abort the rollout", confirm: "Abort", danger: true, text: "The weights return to those before the rollout." },
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
    title: `${decision.title} of ${endpoint.name}`, confirm: decision.confirm, method,
    danger: decision.danger === true,
    fields: (redo) => [
      needsChoice ? field("The weights were changed by another actor", h("select", {
        name: "choice", value: choice,
        onchange: (/** @type {any} */ event) => { choice = event.target.value; redo(); },
      }, h("option", { value: "adopt" }, "continue from the present weights"),
      h("option", { value: "restore" }, "set the weights of the step again"))) : null,
      method === "AbortRollout" && (rollout.plan?.abort ?? "").startsWith("ramp") ? h("label", { class: "check" }, h("input", {
        type: "checkbox", name: "immediate",
        onchange: (/** @type {any} */ event) => { isImmediate = event.target.checked; redo(); },
      }), " At once, without the ramp of the plan") : null,
    ],
    request: () => ({
      endpoint: endpoint.name, ...(needsChoice ? { [choice]: true } : {}), ...(isImmediate ? { immediate: true } : {}),
    }),
    preview: (next) => {
      const baseline = rollout.baseline ?? [];
      return [
        h("p", null, decision.text),
        h("p", null, `The weight of ${rollout.plan?.candidate}: now ${weight(rollout.weight)}, then `,
          h("b", null, weight(next.weight)), "."),
        method === "AbortRollout" && baseline.length > 0
          ? [h("p", { class: "quiet" }, "The weights before the rollout:"), splitBar(page.model.names(endpoint), baseline)] : null,
        next.reason ? h("p", { class: "quiet" }, shown(next.reason)) : null,
      ];
    },
  });
}

/**
 * Begins or ends a freeze of all changes.
 * @param {Page} page
 */
export function setFreeze(page) {
  const isFrozen = Boolean(page.model.frozen?.freeze);
  let reason = "";
  let minutes = "60";
  open(page, {
    title: isFrozen ? "End the freeze" : "Freeze all changes", confirm: isFrozen ? "End freeze" : "Freeze",
    method: "SetFreeze", danger: !isFrozen,
    fields: (redo) => isFrozen ? null : [
      field("Reason (required)", h("input", {
        type: "text", name: "reason", maxlength: 500, value: reason,
        oninput: (/** @type {any} */ event) => { reason = event.target.value; redo(); },
      })),
      field("Minutes (empty: until someone ends it)", h("input", {
        type: "number", name: "minutes", min: 1, max: 500_000, value: minutes,
        oninput: (/** @type {any} */ event) => { minutes = event.target.value; redo(); },
      })),
    ],
    request: () => {
      if (isFrozen) return { frozen: false };
      if (reason.trim() === "") return null;
      const until = number(minutes) > 0 ? { until: new Date(Date.now() + number(minutes) * 60_000).toISOString() } : {};
      return { frozen: true, reason, ...until };
    },
    preview: () => h("p", null, isFrozen ? "The server accepts changes again."
      : "The server rejects all changes except rollbacks, pauses and aborts of rollouts, and the end of the freeze."),
  });
}
