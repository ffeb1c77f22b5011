// Actions: a dialog with the input, the result of a dry run, and a comment. Nothing changes before
// the user confirms what the dry run shows.

import { h, render } from "./dom.js";
import { number, percent, shown } from "./format.js";

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
 */

/** @typedef {{client: import("./api.js").Client, model: import("./model.js").Model,
 *  changed: () => void, note: (text: string) => void,
 *  learn: (revision: number) => void}} Page */

const pauseMilliseconds = 150;

/** Methods that a freeze does not reject. */
const notFrozen = new Set(["Rollback", "PauseRollout", "AbortRollout", "SetFreeze"]);

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

  const hasDryRun = action.hasDryRun !== false;

  /** @param {boolean} validateOnly */
  const send = (validateOnly) => {
    const request = action.request();
    if (!request) return null;
    if (!hasDryRun) return client.call(action.method, request);
    return client.call(action.method, {
      ...request,
      validateOnly,
      expectedRevision: String(validateOnly ? model.revision : revision),
      note: { comment },
    });
  };

  const check = async () => {
    const own = ++generation;
    problem = "";
    const seen = model.revision;
    if (!hasDryRun) {
      result = action.request() ? {} : null;
      draw();
      return;
    }
    try {
      const answer = await send(true);
      if (own !== generation) return;
      result = answer;
      revision = seen;
    } catch (error) {
      if (own !== generation) return;
      result = null;
      if (/** @type {any} */ (error).code === "aborted") {
        // The page has not yet received a change.
        timer = setTimeout(check, pauseMilliseconds);
        return;
      }
      problem = error instanceof Error ? error.message : String(error);
    }
    draw();
  };

  const redo = () => {
    result = null;
    generation += 1;
    draw();
    clearTimeout(timer);
    timer = setTimeout(check, pauseMilliseconds);
  };

  const confirm = async () => {
    if (!result || isBusy || refused()) return;
    isBusy = true;
    problem = "";
    draw();
    try {
      const answer = await send(false);
      dialog.close();
      page.note(
        `Done: ${action.title}${answer?.revision ? ` (revision ${number(answer.revision)})` : ""}`
        );
    } catch (error) {
      isBusy = false;
      const code = /** @type {any} */ (error).code;
      await check();
      problem = code === "aborted" ?
        "Another change was made since the dry run. Check its new result, then confirm again." :
        error instanceof Error ? error.message : String(error);
      draw();
    }
    page.changed();
  };

  /** Why the user should not confirm. A dry run is accepted during a freeze. */
  const refused = () => {
    const freeze = notFrozen.has(action.method) ? null : model.frozen?.freeze;
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
        result ? action.preview(result) : problem ? null : h("p", { class: "quiet" },
          "Asking the server …"),
        result ? warnings(result) : null,
        refusal ? h("p", { class: "error" }, refusal) : null,
        problem ? h("p", { class: "error", role: "alert" }, shown(problem, 1000)) : null),
      hasDryRun ? h("label", { class: "field" }, "Comment for the history",
        h("textarea", {
          rows: 2,
          maxlength: 1000,
          name: "comment",
          placeholder: "Why?",
          oninput: (/** @type {any} */ event) => { comment = event.target.value; },
        })) : null,
      h("div", { class: "buttons" },
        h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
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
    if (opener?.isConnected) opener.focus();
  });
  document.body.append(dialog);
  draw();
  dialog.showModal();
  check();
}

/** @param {any} response */
function warnings(response) {
  const texts = response.warnings ?? [];
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
      ` ${change.kind} `, h("bdi", null, shown(change.name)),
      change.movedShare > 0 ? h("span", { class: "quiet" },
        ` · ${percent(change.movedShare)} of its keys move`) : null),
    change.action !== "CHANGE_ACTION_CHANGE" && change.description ?
    h("p", { class: "quiet" }, shown(change.description)) : null,
    (change.fields ?? []).length > 0 ? h("div", { class: "scroll" }, h("table", null,
      h("thead", null, h("tr", null, h("th", null, "field"), h("th", null, "before"), h(
        "th", null, "after"))),
      h("tbody", null, change.fields.map((/** @type {any} */ field) => h("tr", { key: field
            .field },
        h("th", { scope: "row", class: "code" }, shown(field.field)),
        h("td", { class: "code before" }, shown(field.before)),
        h("td", { class: "code after" }, shown(field.after))))))) : null)));
}
