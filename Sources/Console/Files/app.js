// The start of the page: the address selects what is shown, and the model's changes draw it again.

import { Client } from "./api.js";
import { callsPage, pauseTap, readTrace, resumeTap, stopTap, tracePage } from "./calls.js";
import { button, field } from "./controls.js";
import { closeDialog, refreshDialog } from "./dialog.js";
import { h, render } from "./dom.js";
import { endpointPage, readTotals } from "./endpoint.js";
import { endpointsPage } from "./endpoints.js";
import { fleetPage, readMetrics } from "./fleet.js";
import { clock, list, shown, span } from "./format.js";
import { historyPage } from "./history.js";
import { Live } from "./live.js";
import { Model } from "./model.js";
import { readReports, readSomeReports } from "./shadows.js";
import { failure, quiet, text } from "./table.js";

const client = new Client();
const model = new Model();
const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const header = /** @type {HTMLElement} */ (document.getElementById("header"));
const banner = /** @type {HTMLElement} */ (document.getElementById("banner"));

let isScheduled = false;
/** A message for the user, and when it ends. */
let note = { text: "", until: 0 };

/** Draws the page soon, once for many changes. */
function changed() {
	if (isScheduled) return;
	isScheduled = true;
	// Without frames, as in a hidden page, nothing needs to be drawn.
	requestAnimationFrame(() => {
		isScheduled = false;
		draw();
	});
}

const live = new Live(client, model, changed);
/** @type {import("./dialog.js").Page} */
const page = {
	client,
	model,
	changed,
	learn: (revision) => { live.learn(revision); },
	note: (text) => { note = { text, until: Date.now() + 8000 };
		changed(); },
};

/** @returns {{name: string, argument: string}} */
function route() {
	const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
	let argument = "";
	try {
		argument = decodeURIComponent(rest.join("/"));
	} catch {
		// An address that is not valid shows the page without a selection.
	}
	return { name, argument };
}

function content() {
	const { name, argument } = route();
	if (model.connection === "login") return login();
	if (!model.hasState) return [quiet("Connecting to the server …")];
	switch (name) {
		case "endpoint":
			return endpointPage(page, argument);
		case "history":
			return historyPage(page, /^\d{1,15}$/.test(argument) ? Number(argument) : argument ? -1 : 0);
		case "fleet":
			return fleetPage(page);
		case "calls":
			return callsPage(page, argument);
		case "trace":
			return tracePage(page, argument);
		case "":
			return endpointsPage(page);
		default:
			return [h("h1", null, "This page does not exist"), h("p", null, h("a", { href: "#/" },
				"All endpoints"))];
	}
}

/** Follows what the selected page shows. */
function select() {
	const { name, argument } = route();
	if (name !== "calls") stopTap();
	if (name === "trace") readTrace(page, argument);
	live.showRollout(name === "endpoint" ? argument : "");
	live.setPoll("page", name === "" ? { seconds: 5, read: () => readSomeReports(page) } :
		name === "endpoint" ? {
			seconds: 3,
			read: async () => { await Promise.all([readReports(page, argument), readTotals(page,
					argument)]); },
		} : name === "fleet" ? { seconds: 5, read: () => readMetrics(page) } :
		name === "trace" ? { seconds: 5, read: () => readTrace(page, argument) } : null);
	document.title = `${argument ? `${shown(argument, 60)} · ` : ""}Weir`;
	changed();
}

/** Whether the form has rejected a token. */
let isRejected = false;

function login() {
	return [h("form", {
			class: "card login",
			onsubmit: (/** @type {Event} */ event) => {
				event.preventDefault();
				const input = /** @type {HTMLInputElement} */ (document.getElementById("token"));
				const token = input.value.trim();
				if (!/^[\x21-\x7e]+$/.test(token)) {
					input.value = "";
					model.reason = "a token has only ASCII characters, no spaces";
					isRejected = true;
					changed();
					return;
				}
				client.setToken(token);
				// Forgets all that the page has received with another token.
				location.reload();
			},
		},
		h("h1", null, "Sign in"),
		h("p", null, "This server asks for a token. An administrator makes one with ", h("code",
			null, "weir access add"), "."),
		field("Token", h("input", { id: "token", type: "password", autocomplete: "off",
			spellcheck: "false", required: true })),
		quiet("The token stays in this tab, and the browser forgets it when the tab is closed."),
		client.hasToken || isRejected ? failure(model.reason) : null,
		h("button", { type: "submit", class: "primary" }, "Sign in"))];
}

function signOut() {
	client.setToken("");
	// Forgets all that the page has received with the token.
	location.reload();
}

function drawHeader() {
	const { name } = route();
	/**
	 * @param {string} to
	 * @param {string} label
	 * @param {boolean} isCurrent
	 */
	const link = (to, label, isCurrent) => h("a", { href: `#/${to}`, "aria-current": isCurrent ?
			"page" : null }, label);
	const role = (model.access.role ?? "").replace("ACCESS_ROLE_", "").toLowerCase();
	const limits = list(model.access.endpoints);
	const states = { live: "live", lost: "connection lost", connecting: "connecting",
		login: "signed out" };
	render(header,
		h("a", { class: "brand", href: "#/" }, h("img", { src: "/console/icon.svg", alt: "",
			width: 22, height: 22 }), "Weir"),
		h("nav", { "aria-label": "Pages" }, link("", "Endpoints", name === "" || name === "endpoint"),
			link("calls", "Calls", name === "calls" || name === "trace"),
			link("history", "History", name === "history"), link("fleet", "Fleet", name === "fleet")),
		h("p", { class: "state" },
			h(
			"span", { class: `dot level-${live.isPaused ? 1 : model.connection === "live" ? 0 : model.connection === "lost" ? 2 : 1}` }),
			h("span", { id: "connection" }, live.isPaused ? "paused" : states[model.connection])),
		role ? h("p", { class: "user" }, model.access.name ? [text(model.access.name,
				40), ", "] : null, role,
			limits.length > 0 ? h("span", { title: shown(limits.join(", "), 1000) },
				` of ${shown(limits.join(", "), 40)}`) : null) : null,
		client.hasToken && model.connection !== "login" ? button("Sign out", signOut, {
			class: "small" }) : null);
}

function drawBanner() {
	/** @type {import("./dom.js").VNode[]} */
	const texts = [];
	/** @type {(key: string, level: number, ...text: import("./dom.js").Loose[]) => void} */
	const say = (key, level, ...text) => {
		texts.push(h("p", { key, class: `problem level-${level}` }, text));
	};
	if (live.isPaused) {
		say("paused", 1, "This window is paused, because two others of this browser show the console, and a browser " +
			"opens only six connections to a server without TLS. Click here to continue.");
	} else if (model.connection === "lost") {
		say("lost", 2, "No connection to the server",
			// Not announced each second.
			h("span", { "aria-hidden": "true" }, ` for ${span((Date.now() - model.lostSince) / 1000)}`),
			`: ${shown(model.reason)}. ${model.hasState ? "The page shows old data. " : ""}Connecting again …`);
	}
	if (model.fleet.storeFailure) {
		say("store", 2, `The store is not reachable, and the server rejects changes: ${shown(model.fleet.storeFailure)}`
			);
	}
	const own = list(model.fleet.instances).find((each) => each.answering);
	if (own?.state === "INSTANCE_STATE_DIVERGED") {
		say("diverged", 2, `The store has another history, and the server rejects changes: ${shown(own.problem)}`);
	}
	const { freeze } = model;
	if (freeze) {
		say("freeze", 1, "Changes are frozen by ", text(freeze.author, 60), ": ",
			text(freeze.reason, 300), freeze.until ? ` (until ${clock(freeze.until)})` : "");
	}
	if (note.until > Date.now()) texts.push(h("p", { key: "note", class: "done" }, shown(note.text)));
	render(banner, texts);
}

function draw() {
	if (model.connection === "login") closeDialog();
	refreshDialog();
	drawHeader();
	drawBanner();
	render(main, content());
}

/** @type {HTMLElement} */ (document.querySelector(".skip")).onclick = (event) => {
	// The address selects the page, so the link must not change it.
	event.preventDefault();
	main.focus();
};
document.addEventListener("visibilitychange", () => {
	if (document.hidden) pauseTap();
	else resumeTap(page);
});
addEventListener("hashchange", () => {
	select();
	main.focus({ preventScroll: true });
	scrollTo(0, 0);
});
// Times that pass, and messages that end.
setInterval(changed, 1000);
select();
live.start();
