// Sections of the page of an endpoint: affinity map, flow, and history.

import { rollBack } from "./actions.js";
import { h } from "./dom.js";
import { ago, clock, count, number, percent, plural, rate, shown, weight } from "./format.js";
import { backendLabel, flow, splitBar, splitOverTime, strip } from "./plots.js";
import { moves, parts, summaryWeights } from "./policy.js";
import { figures, recent } from "./series.js";

/** @typedef {import("./dialog.js").Page} Page */

/** The map of an endpoint before its last change, as far as this page saw it.
 * @type {Map<string, {revision: string, intervals: any[], before: any[] | null}>} */
const maps = new Map();

/**
 * The map before the last change; null if it did not change, or is not known yet.
 * @param {Page} page
 * @param {any} endpoint
 */
function previousMap(page, endpoint) {
  const known = maps.get(endpoint.name);
  const intervals = endpoint.intervals ?? [];
  if (known && known.revision === endpoint.revision) return known.before;
  /** @type {{revision: string, intervals: any[], before: any[] | null}} */
  const made = { revision: endpoint.revision, intervals, before: null };
  maps.set(endpoint.name, made);
  const keep = (/** @type {any[]} */ before) => {
    if (moves(parts(before), parts(intervals)).length > 0) made.before = before;
  };
  if (known) {
    keep(known.intervals);
  } else if (number(endpoint.revision) > 1) {
    const revision = String(number(endpoint.revision) - 1);
    page.client.call("GetRevision", { revision }).then((response) => {
      const before = (response.endpoints ?? []).find(
        (/** @type {any} */ each) => each.name === endpoint.name);
      if (before) keep(before.intervals ?? []);
      page.changed();
    }, () => {});
  }
  return made.before;
}

/**
 * Weights and the affinity map.
 * @param {Page} page
 * @param {any} endpoint
 */
export function mapSection(page, endpoint) {
  const names = page.model.names(endpoint);
  const now = parts(endpoint.intervals ?? []);
  const before = previousMap(page, endpoint);
  const old = before ? parts(before) : null;
  const moved = old ? moves(old, now) : [];
  const share = moved.reduce((sum, each) => sum + each.to - each.from, 0);
  return h("section", { class: "card" }, h("h2", null, "Split and affinity map"),
    splitBar(names, endpoint.weights ?? []),
    h("p", { class: "quiet" }, "Each shard key has a fixed place on this strip; its backend answers it."),
    old ? strip(names, old, { next: now, moves: moved, label: `the key space before and after the last change: ${percent(share)} moved` })
      : strip(names, now, { label: `the key space in ${now.length} parts` }),
    old ? h("p", null, `The last change moved `, h("b", null, percent(share)), ` of the keys (outlined): above before, below after.`) : null,
    h("details", null, h("summary", null, `${plural(now.length, "part")} as a table`),
      h("div", { class: "scroll" }, h("table", { class: "parts" }, h("thead", null, h("tr", null, h("th", null, "backend"), h("th", { class: "number" }, "from"),
        h("th", { class: "number" }, "to"), h("th", { class: "number" }, "share"))),
      h("tbody", null, now.map((part) => h("tr", null, h("th", { scope: "row" }, backendLabel(names, part.backend)),
        h("td", { class: "number" }, `${(part.from * 100).toFixed(2)} %`), h("td", { class: "number" }, `${(part.to * 100).toFixed(2)} %`),
        h("td", { class: "number" }, percent(part.to - part.from)))))))),
    moved.length > 0 ? h("details", null, h("summary", null, `${plural(moved.length, "part")} moved`),
      h("div", { class: "scroll" }, h("table", null, h("thead", null, h("tr", null, h("th", null, "from"), h("th", null, "to"), h("th", { class: "number" }, "share"))),
        h("tbody", null, moved.map((each) => h("tr", null, h("td", null, backendLabel(names, each.before)),
          h("td", null, backendLabel(names, each.after)), h("td", { class: "number" }, percent(each.to - each.from)))))))) : null);
}

/**
 * The flow of the last 10 seconds.
 * @param {Page} page
 * @param {any} endpoint
 */
export function flowSection(page, endpoint) {
  const { model } = page;
  const names = model.names(endpoint);
  const rows = (endpoint.weights ?? []).map((/** @type {any} */ each) => {
    const now = figures(recent(model.series.backend(endpoint.name, each.backend), 10));
    const backend = model.backends.get(each.backend);
    // A handler answers in the process of the server.
    const replicas = backend?.handler ? [{ name: "this server", state: "REPLICA_STATE_READY" }]
      : backend?.status?.replicas ?? [];
    const total = replicas.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + number(one.requests), 0);
    return {
      backend: each.backend, rate: now?.rate ?? 0, weight: each.weight ?? 0,
      text: `${rate(now?.rate ?? 0)} requests/s`, share: 0,
      replicas: replicas.slice(0, 32).map((/** @type {any} */ one) => ({
        name: one.name, share: total > 0 ? number(one.requests) / total : 0, ready: one.state === "REPLICA_STATE_READY",
        requests: number(one.requests), all: total,
      })),
    };
  });
  const total = rows.reduce((/** @type {number} */ sum, /** @type {any} */ row) => sum + row.rate, 0);
  for (const row of rows) row.share = total > 0 ? row.rate / total : row.weight;
  return h("section", { class: "card" }, h("h2", null, "Flow of requests"),
    h("div", { class: "flow-heads quiet", "aria-hidden": "true" }, h("span", null, "keys"), h("span", null, "backends"), h("span", null, "replicas")),
    flow(names, rows),
    h("div", { class: "scroll" }, h("table", { id: "flow" }, h("thead", null, h("tr", null, h("th", null, "backend"),
      h("th", { class: "number" }, "weight"), h("th", { class: "number" }, "share, last 10 s"), h("th", { class: "number" }, "requests/s"),
      h("th", null, "replicas (share of all their requests)"))),
    h("tbody", null, rows.map((/** @type {any} */ row) => h("tr", { key: row.backend }, h("th", { scope: "row" }, backendLabel(names, row.backend)),
      h("td", { class: "number" }, weight(row.weight)), h("td", { class: "number" }, total > 0 ? percent(row.share) : "–"),
      h("td", { class: "number" }, rate(row.rate)),
      h("td", null, row.replicas.length === 0 ? h("span", { class: "quiet" }, "none")
        : row.replicas.map((/** @type {any} */ one, /** @type {number} */ index) => [index > 0 ? ", " : "", h("bdi", null, shown(one.name, 80)), ` ${one.all > 0 ? percent(one.share) : ""}`, one.ready ? "" : " (not ready)"]))))))));
}

/**
 * The latest changes of the endpoint.
 * @param {Page} page
 * @param {any} endpoint
 */
export function historySection(page, endpoint) {
  const { model } = page;
  const names = model.names(endpoint);
  const name = endpoint.name;
  const own = [...model.revisions.values()].filter((each) => mentions(each.summary, name))
    .sort((a, b) => number(b.revision) - number(a.revision)).slice(0, 60);
  const steps = own.map((each) => ({
    revision: number(each.revision), time: Date.parse(each.time ?? "") || 0,
    weights: summaryWeights(each.summary ?? "", name),
  })).filter((each) => each.weights !== null).reverse();
  const all = [...new Set([...names, ...steps.flatMap((each) => (each.weights ?? []).map((one) => one.backend))])].sort();
  const may = model.may(name);
  return h("section", { class: "card" }, h("h2", null, "History of this endpoint"),
    steps.length > 1 ? [
      h("p", { class: "quiet" }, `The split after each change, oldest left (${clock(new Date(steps[0]?.time ?? 0).toISOString())}).`),
      splitOverTime(all, /** @type {any} */ (steps), Date.now()),
      h("ul", { class: "legend" }, all.map((each) => h("li", { key: each }, backendLabel(all, each)))),
    ] : null,
    own.length === 0 ? h("p", { class: "quiet" }, "No kept revision names this endpoint.")
      : h("div", { class: "scroll" }, h("table", { id: "endpoint-history", class: "stack" },
        h("thead", null, h("tr", null, h("th", { class: "number" }, "revision"), h("th", null, "time"), h("th", null, "author"),
          h("th", null, "change"), may ? h("th", null, h("span", { class: "hidden" }, "actions")) : null)),
        h("tbody", null, own.slice(0, 20).map((each) => h("tr", { key: String(each.revision) },
          h("th", { scope: "row", class: "number" }, h("a", { href: `#/history/${each.revision}` }, String(each.revision))),
          h("td", { "data-label": "time" }, h("time", { datetime: each.time, title: ago(each.time, Date.now()) }, clock(each.time))),
          h("td", { "data-label": "author" }, h("bdi", null, shown(each.author, 128))),
          h("td", { "data-label": "change" }, h("bdi", null, shown(each.summary, 300)),
            each.comment ? h("q", { class: "comment" }, h("bdi", null, shown(each.comment, 300))) : null),
          may ? h("td", null, number(each.revision) === number(endpoint.revision) ? h("span", { class: "quiet" }, "current") : h("button", {
            type: "button", class: "small", "aria-label": `Restore revision ${each.revision}`,
            onclick: () => rollBack(page, number(each.revision), name),
          }, "Restore …")) : null))))),
    h("p", { class: "quiet" }, `${count(own.length)} of the latest ${count(model.revisions.size)} revisions concern this endpoint.`));
}

/**
 * Whether a revision's summary concerns an endpoint.
 * @param {string | undefined} summary
 * @param {string} name
 */
export function mentions(summary, name) {
  return (summary ?? "").split("; ").some((text) => text.startsWith(`${name}: `)
    || text.startsWith(`create endpoint ${name}: `) || text === `delete endpoint ${name}`);
}
