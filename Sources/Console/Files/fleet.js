// The page of the fleet, the store, the limits and the rejections.

import { setFreeze } from "./decisions.js";
import { messageOf } from "./api.js";
import { button } from "./controls.js";
import { h } from "./dom.js";
import { limitMetrics, limitsSection, samples } from "./limits.js";
import { ago, clock, count, list, plural, shown, word } from "./format.js";
import { card, cell, dim, failure, quiet, rowHead, table, text } from "./table.js";

/** @typedef {import("./dialog.js").Page} Page */
/** @typedef {import("./limits.js").Sample} Sample */

/**
 * The samples of `/metrics`; null before the first ones.
 * @type {{samples: Sample[] | null, problem: string}}
 */
const view = { samples: null, problem: "" };

/** @param {Page} page */
export async function readMetrics(page) {
	try {
		view.samples = samples(await page.client.metrics(), (name) => names.has(name));
		view.problem = "";
	} catch (error) {
		view.problem = messageOf(error);
	}
}

/** Rejections beyond those of the limits, and what else can explain missing responses. */
const refusals = [
	["weir_connections_refused_total", "connections rejected"],
	["weir_backend_refused_requests_total", "requests rejected by a backend's limits"],
	["weir_backend_retries_denied_total", "retries denied by the budget"],
	["weir_shadow_dropped_total", "copies of shadows dropped"],
	["weir_backend_circuit_openings_total", "times that a backend began to reject requests"],
	["weir_replica_ejections_total", "ejections of replicas"],
	["weir_worker_restarts_total", "restarts of workers"],
	["weir_unrouted_requests_total", "requests that matched no endpoint"],
	["weir_log_lines_lost_total", "lost log lines"],
];

/** The metrics that the page shows. */
const names = new Set([...refusals.map(([name]) => name ?? ""), ...limitMetrics]);

/** @param {Page} page */
export function fleetPage(page) {
	const { model } = page;
	const instances = list(model.fleet.instances);
	const behind = instances.filter((each) => each.state !== "INSTANCE_STATE_CURRENT").length;
	const { freeze } = model;
	const all = list(view.samples);
	const rejected = refusals.flatMap(([name, text]) => all.filter((each) => each.name ===
			name && each.value > 0).map((each) => ({ ...each, text })));
	const down = [...model.backends.values()].filter((each) => each.status && !each.status.usable);
	return [
		h("div", { class: "title" }, h("h1", null, "Fleet"),
			h("p", { class: behind > 0 || model.fleet.storeFailure ? "summary error" : "summary" },
				behind > 0 ? `${plural(behind, "server")} not current` :
				`${plural(instances.length, "server")}, all current`)),
		card("freeze", "Freeze",
			freeze ? h("p", { class: "problem level-1" }, "Changes are frozen since ", clock(freeze
					.since), " by ", text(freeze.author, 128),
				freeze.until ? `, until ${clock(freeze.until)}` : "", ": ", text(freeze
					.reason)) : h("p", null, "The server accepts changes."),
			model.access.role === "ACCESS_ROLE_ADMIN" ? button(freeze ?
				"End the freeze …" : "Freeze all changes …", () => setFreeze(page)) : null),
		card("", "Servers", table({ id: "servers",
				label: "Servers" },
			["server", "state", "#revision", "version", "data address", "admin address", "started"],
			instances.map(server))),
		card("", "Store",
			h("p", null, h("span", { class: `dot level-${model.fleet.storeFailure ? 2 : 0}` }), h(
			"bdi", { class: "code" }, shown(model.fleet.store) || "–")),
			model.fleet.storeFailure ? h("p", { class: "problem level-2" }, shown(model.fleet
				.storeFailure)) : null,
			quiet(`Revision ${model.revision}; the oldest that is kept is ${model.oldestRevision}.`)),
		down.length > 0 ? card("", "Backends that are not usable",
			h("ul", null, down.map((each) => h("li", { key: each
				.name },
			h("b", null, text(each.name)), `: ${shown(each.status.problem)}`)))) : null,
		view.samples ? limitsSection(page, view.samples) : null,
		card("rejections", "Other events of this server since it started",
			view.problem ? failure(view.problem) : null,
			!view.samples ? view.problem ? null : quiet("Reading …") :
			rejected.length === 0 ? h("p", null, "None.") :
			table({ label: "Other events" }, ["what", "where and why", "#count"],
				rejected.map((each) => h(
				"tr", { key: `${each.name}{${each.labels}}` },
				rowHead(each.text ?? ""),
				h("td", { class: "code" }, shown(each.labels.replaceAll("\"", ""), 300)),
				cell(count(each.value)))))),
	];
}

/** @param {any} each a server of the fleet */
function server(each) {
	const state = word(each.state, "INSTANCE_STATE_");
	const level = state === "current" ? 0 : state === "stale" ? 1 : 2;
	return h("tr", { key: each.id }, rowHead(text(each.name, 128),
			dim(each.leader ? " · leader" : "", each.answering ? " · this server" : "")),
		h("td", null, h("span", { class: `dot level-${level}` }), state,
			each.problem ? h("span", { class: `problem level-${level}` }, shown(each.problem)) : null),
		cell(count(each.revision)),
		h("td", null, shown(each.version, 80)),
		h("td", { class: "code" }, shown(each.dataAddress, 128)),
		h("td", { class: "code" }, shown(each.adminAddress, 128)),
		h("td", null, ago(each.started)));
}
