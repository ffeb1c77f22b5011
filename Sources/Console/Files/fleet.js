// The page of the fleet, the store, the limits and the rejections.

import { setFreeze } from "./actions.js";
import { h } from "./dom.js";
import { ago, bytes, clock, count, number, plural, shown, word } from "./format.js";

/** @typedef {import("./dialog.js").Page} Page */
/** @typedef {{name: string, labels: string, value: number}} Sample */

/**
 * The samples of `/metrics`.
 * @type {{samples: Sample[], problem: string}}
 */
const view = { samples: [], problem: "" };

/**
 * @param {string} text of `/metrics`
 * @returns {Sample[]}
 */
export function samples(text) {
  /** @type {Sample[]} */
  const found = [];
  for (const line of text.split("\n")) {
    const match = /^((?:weir|process)_[a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)/.exec(line);
    if (match) found.push({ name: match[1] ?? "", labels: match[2] ?? "", value: Number(match[3]) });
  }
  return found;
}

/** @param {Page} page */
export async function readMetrics(page) {
  try {
    view.samples = samples(await page.client.metrics());
    view.problem = "";
  } catch (error) {
    view.problem = error instanceof Error ? error.message : String(error);
  }
}

/** @param {string} name */
const metric = (name) => view.samples.find((each) => each.name === name)?.value;

const refusals = [
  ["weir_requests_refused_total", "requests rejected by a limit"], ["weir_connections_refused_total", "connections rejected"],
  ["weir_backend_refused_requests_total", "requests rejected by a backend's limits"],
  ["weir_backend_retries_denied_total", "retries denied by the budget"], ["weir_shadow_dropped_total", "copies of shadows dropped"],
  ["weir_backend_circuit_openings_total", "times that a backend began to reject requests"],
  ["weir_replica_ejections_total", "ejections of replicas"], ["weir_worker_restarts_total", "restarts of workers"],
  ["weir_unrouted_requests_total", "requests that matched no endpoint"], ["weir_log_lines_lost_total", "lost log lines"],
];

/** @param {Page} page */
export function fleetPage(page) {
  const { model } = page;
  const instances = model.fleet.instances ?? [];
  const behind = instances.filter((/** @type {any} */ each) => each.state !== "INSTANCE_STATE_CURRENT").length;
  const freeze = model.frozen?.freeze;
  const rejected = refusals.flatMap(([name, text]) => view.samples.filter((each) => each.name === name && each.value > 0)
    .map((each) => ({ ...each, text })));
  const down = [...model.backends.values()].filter((each) => each.status && !each.status.usable);
  return [
    h("div", { class: "title" }, h("h1", null, "Fleet"),
      h("p", { class: behind > 0 || model.fleet.storeFailure ? "summary error" : "summary" },
        behind > 0 ? `${plural(behind, "server")} not current` : `${plural(instances.length, "server")}, all current`)),
    model.frozen ? h("section", { class: "card", id: "freeze" }, h("h2", null, "Freeze"),
      freeze ? h("p", { class: "problem level-1" }, "Changes are frozen since ", clock(freeze.since), " by ", h("bdi", null, shown(freeze.author, 128)),
        freeze.until ? `, until ${clock(freeze.until)}` : "", ": ", h("bdi", null, shown(freeze.reason))) : h("p", null, "The server accepts changes."),
      model.access.role === "ACCESS_ROLE_ADMIN" ? h("button", { type: "button", onclick: () => setFreeze(page) },
        freeze ? "End the freeze …" : "Freeze all changes …") : null) : null,
    h("section", { class: "card" }, h("h2", null, "Servers"), h("div", { class: "scroll" }, h("table", { id: "servers", class: "stack" },
      h("thead", null, h("tr", null, h("th", null, "server"), h("th", null, "state"), h("th", { class: "number" }, "revision"), h("th", null, "version"),
        h("th", null, "data address"), h("th", null, "admin address"), h("th", null, "started"))),
      h("tbody", null, instances.map((/** @type {any} */ each) => {
        const state = word(each.state, "INSTANCE_STATE_");
        const level = state === "current" ? 0 : state === "stale" ? 1 : 2;
        return h("tr", { key: each.id }, h("th", { scope: "row" }, h("bdi", null, shown(each.name, 128)),
          h("span", { class: "quiet" }, each.leader ? " leader" : "", each.answering ? " this server" : "")),
        h("td", { "data-label": "state" }, h("span", { class: `dot level-${level}` }), state,
          each.problem ? h("span", { class: `problem level-${level}` }, shown(each.problem)) : null),
        h("td", { class: "number", "data-label": "revision" }, count(each.revision)), h("td", { "data-label": "version" }, shown(each.version, 80)),
        h("td", { class: "code", "data-label": "data" }, shown(each.dataAddress, 128)), h("td", { class: "code", "data-label": "admin" }, shown(each.adminAddress, 128)),
        h("td", { "data-label": "started" }, ago(each.started, Date.now())));
      }))))),
    h("section", { class: "card" }, h("h2", null, "Store"),
      h("p", null, h("span", { class: `dot level-${model.fleet.storeFailure ? 2 : 0}` }), h("bdi", { class: "code" }, shown(model.fleet.store) || "–")),
      model.fleet.storeFailure ? h("p", { class: "problem level-2" }, shown(model.fleet.storeFailure)) : null,
      h("p", { class: "quiet" }, `Revision ${model.revision}; the oldest that is kept is ${model.oldestRevision}.`)),
    down.length > 0 ? h("section", { class: "card" }, h("h2", null, "Backends that are not usable"), h("ul", null, down.map((each) => h("li", { key: each.name },
      h("b", null, h("bdi", null, each.name)), `: ${shown(each.status.problem)}`)))) : null,
    h("section", { class: "card", id: "rejections" }, h("h2", null, "Limits and rejections of this server since it started"),
      view.problem ? h("p", { class: "error" }, shown(view.problem)) : null,
      rejected.length === 0 ? h("p", null, "Nothing was rejected.") : h("div", { class: "scroll" }, h("table", { class: "stack" },
        h("thead", null, h("tr", null, h("th", null, "what"), h("th", null, "where and why"), h("th", { class: "number" }, "count"))),
        h("tbody", null, rejected.map((each) => h("tr", { key: `${each.name}{${each.labels}}` }, h("th", { scope: "row" }, each.text ?? ""),
          h("td", { class: "code", "data-label": "where" }, shown(each.labels.replaceAll("\"", ""), 300)), h("td", { class: "number", "data-label": "count" }, count(each.value)))))))),
    h("section", { class: "card" }, h("h2", null, "Process of this server"), h("dl", { class: "facts" },
      fact("memory", bytes(metric("process_resident_memory_bytes"))), fact("open files", `${count(metric("process_open_fds"))} of ${count(metric("process_max_fds"))}`),
      fact("connections", count(model.series.latest.connections)), fact("threads", count(metric("process_threads"))),
      fact("buffered", bytes(view.samples.filter((each) => each.name === "weir_buffered_bytes").reduce((sum, each) => sum + each.value, 0))),
      fact("unrouted requests/s", count(model.series.latest.unrouted)), fact("revision", count(number(model.revision))))),
  ];
}

/**
 * @param {string} name
 * @param {string} value
 */
function fact(name, value) {
  return h("div", { key: name }, h("dt", null, name), h("dd", null, value));
}
