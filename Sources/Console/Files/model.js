// What the page knows about the server.

import { number } from "./format.js";
import { Series, recent, figures } from "./series.js";

// The revisions, and the states of a rollout, that the page keeps.
const keptRevisions = 1000;
const keptEvidence = 900;

/** @typedef {"connecting" | "live" | "lost" | "login"} Connection */
/** @typedef {{level: number, text: string}} Problem level 2 is an error, 1 a warning */

export class Model {
  /** @type {Connection} */
  connection = "connecting";
  /** Why the connection was lost. */
  reason = "";
  /** When it was lost, in milliseconds. */
  lostSince = 0;
  revision = 0;
  /** @type {Map<string, any>} */
  endpoints = new Map();
  /**
   * With the status on this server.
   * @type {Map<string, any>}
   */
  backends = new Map();
  /**
   * The latest rollout of each endpoint.
   * @type {Map<string, any>}
   */
  rollouts = new Map();
  /**
   * By number.
   * @type {Map<number, any>}
   */
  revisions = new Map();
  oldestRevision = 0;
  /** @type {any} */
  fleet = {};
  /** @type {{name?: string, role?: string, endpoints?: string[]}} */
  access = {};
  /**
   * Whether the server can freeze changes, and the present freeze.
   * @type {{freeze?: any} | null}
   */
  frozen = null;
  series = new Series();
  /**
   * The states of rollouts, oldest first.
   * @type {Map<string, {started: string, states: any[]}>}
   */
  evidence = new Map();
  /**
   * Endpoints by the time of the last change that this page saw.
   * @type {Map<string, number>}
   */
  flashes = new Map();
  /** Counts the changes of everything but figures. */
  version = 0;

  /** Forgets all that another user may not see. */
  clear() {
    for (const map of [this.endpoints, this.backends, this.rollouts, this.revisions, this.evidence]) {
      map.clear();
    }
    this.series.clear();
    this.access = {};
    this.fleet = {};
  }

  /**
   * @param {any} message of Watch
   * @param {number} now
   */
  watched(message, now) {
    this.version += 1;
    this.revision = number(message.revision);
    if (message.snapshot) {
      const endpoints = message.endpoints ?? [];
      const names = new Set(endpoints.map((/** @type {any} */ each) => each.name));
      for (const name of this.endpoints.keys()) if (!names.has(name)) this.endpoints.delete(name);
      const backends = new Set((message.backends ?? []).map((/** @type {any} */ each) => each.name));
      for (const name of this.backends.keys()) if (!backends.has(name)) this.backends.delete(name);
    } else {
      this.revisions.set(this.revision, {
        revision: this.revision, time: message.time, author: message.author,
        comment: message.comment, summary: message.summary,
      });
      if (this.revisions.size > keptRevisions) {
        this.revisions.delete(Math.min(...this.revisions.keys()));
      }
    }
    for (const endpoint of message.endpoints ?? []) {
      if (!message.snapshot) this.flashes.set(endpoint.name, now);
      this.endpoints.set(endpoint.name, endpoint);
    }
    for (const name of message.deletedEndpoints ?? []) this.endpoints.delete(name);
    for (const backend of message.backends ?? []) {
      const status = this.backends.get(backend.name)?.status;
      this.backends.set(backend.name, { status, ...backend });
    }
    for (const name of message.deletedBackends ?? []) this.backends.delete(name);
    this.series.keep((name) => this.endpoints.has(name));
  }

  /** @param {any} list of ListRevisions */
  listed(list) {
    this.version += 1;
    for (const each of list.revisions ?? []) this.revisions.set(number(each.revision), each);
    if (list.oldestRevision !== undefined) this.oldestRevision = number(list.oldestRevision);
  }

  /** @param {any} list of ListBackends */
  listedBackends(list) {
    this.version += 1;
    for (const backend of list.backends ?? []) {
      const { descriptorSet, ...rest } = backend;
      this.backends.set(backend.name, rest);
    }
  }

  /**
   * @param {any} rollout
   * @param {number} now
   */
  rolled(rollout, now) {
    this.version += 1;
    this.rollouts.set(rollout.endpoint, rollout);
    let kept = this.evidence.get(rollout.endpoint);
    if (!kept || kept.started !== rollout.started) {
      kept = { started: rollout.started, states: [] };
      this.evidence.set(rollout.endpoint, kept);
    }
    kept.states.push({ ...rollout, time: now });
    if (kept.states.length > keptEvidence) kept.states.splice(0, keptEvidence / 3);
  }

  /** The change that made an endpoint as it is; null if it is not known.
   * @param {any} endpoint */
  lastChange(endpoint) {
    return this.revisions.get(number(endpoint.revision)) ?? null;
  }

  /**
   * Whether the caller may change an endpoint.
   * @param {string} endpoint empty for all
   */
  may(endpoint) {
    const { role, endpoints } = this.access;
    if (role === "ACCESS_ROLE_ADMIN") return true;
    if (role !== "ACCESS_ROLE_OPERATOR" || endpoint === "") return false;
    return !endpoints || endpoints.length === 0 || endpoints.includes(endpoint);
  }

  /**
   * The backends of an endpoint in a fixed order, which is that of their colours.
   * @param {any} endpoint
   * @returns {string[]}
   */
  names(endpoint) {
    const names = [...(endpoint.weights ?? []), ...(endpoint.shadows ?? [])].map(
      (/** @type {any} */ each) => each.backend);
    const candidate = this.rollouts.get(endpoint.name)?.plan?.candidate;
    if (candidate) names.push(candidate);
    return [...new Set(names)].sort();
  }

  /**
   * What is wrong with an endpoint, worst first.
   * @param {any} endpoint
   * @returns {Problem[]}
   */
  problems(endpoint) {
    /** @type {Problem[]} */
    const problems = [];
    const now = figures(recent(this.series.endpoint(endpoint.name), 10));
    if (now && now.errors > 0) {
      const share = (now.errors * 100).toFixed(now.errors < 0.1 ? 1 : 0);
      const level = now.errors >= 0.05 ? 2 : now.errors >= 0.002 ? 1 : 0;
      if (level > 0) problems.push({ level, text: `${share} % errors in the last 10 s` });
    }
    for (const entry of endpoint.weights ?? []) {
      const status = this.backends.get(entry.backend)?.status;
      if (!status || !(entry.weight > 0)) continue;
      const replicas = status.replicas ?? [];
      const down = replicas.filter(
        (/** @type {any} */ each) => each.state !== "REPLICA_STATE_READY").length;
      if (!status.usable) {
        problems.push({ level: 2, text: `${entry.backend} is not usable` });
      } else if (down > 0) {
        problems.push(
          { level: 1, text: `${down} of ${replicas.length} replicas of ${entry.backend} not ready` });
      }
      if (status.circuitOpen) problems.push({ level: 1, text: `${entry.backend} rejects requests` });
    }
    const rollout = this.rollouts.get(endpoint.name);
    if (rollout?.phase === "ROLLOUT_PHASE_ABORTING") {
      problems.push({ level: 2, text: "the rollout aborts" });
    } else if (rollout?.phase === "ROLLOUT_PHASE_PAUSED") {
      problems.push({ level: 1, text: "the rollout is paused" });
    }
    if (endpoint.timeBox) problems.push({ level: 1, text: "the weights will revert" });
    return problems.sort((a, b) => b.level - a.level);
  }
}
