import os from "node:os";
import { WeirError } from "./errors.js";
import { Handle } from "./handle.js";
import { checkNames } from "./keys.js";
import { Connection, call, unary } from "./transport.js";

/**
 * Connects to the admin port at `host:port`, by default that of the variable WEIR_ADMIN.
 *
 * @param {string} address
 * @param {{ author?: string, dataAddress?: string, tls?: object, token?: string, dataTls?: object }} options
 *   `author` is the author of changes in the history; `dataAddress` is the data address, if it
 *   differs from the one that the server reports; `tls`, with the options of `tls.connect`, and
 *   `token` are for the admin port, `dataTls` for the data port
 */
export async function connect(address = process.env.WEIR_ADMIN || "127.0.0.1:8001", options = {}) {
  checkAddress(address);
  checkNames(options, ["author", "dataAddress", "tls", "token", "dataTls"]);
  const admin = new Connection(address, options);
  const dataAddress = options.dataAddress ?? (await learnDataAddress(admin, address));
  const data = new Connection(dataAddress, { tls: options.dataTls });
  return new Client(admin, data, dataAddress, options.author ?? thisUser());
}

function checkAddress(address) {
  const port = /^(?:\[[^\]]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(address)?.[1];
  if (typeof address !== "string" || !(port >= 1 && port <= 65_535)) {
    throw new TypeError(`invalid address ${JSON.stringify(address)}: use host:port, for example "127.0.0.1:8001"`);
  }
}

function thisUser() {
  let name = "unknown";
  try {
    name = os.userInfo().username;
  } catch {
    // Some users have no entry in the user database.
  }
  return `${name}@${os.hostname()}`;
}

/** The data address of the server, as reachable from here. */
async function learnDataAddress(admin, address) {
  const { instances } = await unary(admin, "ListInstances", {}).catch((error) => {
    throw explained(error, address);
  });
  const reported = instances.find((instance) => instance.answering)?.dataAddress;
  if (!reported) throw new Error("the server does not report its data address");
  const colon = reported.lastIndexOf(":");
  const host = reported.slice(0, colon);
  // The server listens on all addresses, so the admin port's host also works.
  const everywhere = host === "0.0.0.0" || host === "[::]";
  return (everywhere ? address.slice(0, address.lastIndexOf(":")) : host) + reported.slice(colon);
}

/** The error of the first call, with what to do. */
function explained({ code, message, ...details }, address) {
  if (code === "UNIMPLEMENTED") {
    message = `${address} is not an admin port; it may be a data port. Connect to the admin port, by default port 8001 `
      + `(${message})`;
  } else if (code === "UNAVAILABLE") {
    message = `no Weir is reachable at the admin address ${address}: ${message}. Start one with 'weir serve', `
      + "or set WEIR_ADMIN to its address";
  }
  return new WeirError(code, message, details);
}

/**
 * A client of a running Weir: changes and reads its routing, and calls its endpoints. Calls return
 * the messages of `protos/weir/admin/v1/admin.proto` as JSON: names in camel case, 64-bit numbers
 * as text. They throw a WeirError.
 *
 * Changes take `{ expectedRevision, validateOnly, comment }` as their last argument.
 */
export class Client {
  #admin;
  #data;
  #author;

  constructor(admin, data, dataAddress, author) {
    this.#admin = admin;
    this.#data = data;
    this.#author = author;
    /** The data address of the server. */
    this.dataAddress = dataAddress;
  }

  /** Calls any RPC of the admin service. */
  admin(method, request = {}) {
    return unary(this.#admin, method, request);
  }

  #change(method, request, options = {}) {
    checkNames(options, ["expectedRevision", "validateOnly", "comment"]);
    const { expectedRevision, validateOnly, comment } = options;
    return this.admin(method, {
      ...request, expectedRevision, validateOnly, note: { author: this.#author, comment },
    });
  }

  /** Calls any RPC of the admin service that streams its responses. */
  adminStream(method, request = {}, { signal } = {}) {
    return call(this.#admin, method, request, { signal });
  }

  /**
   * Adds an upstream backend: gRPC servers that Weir does not start. `backend` has its other fields,
   * for example `{ options: { maxRequestsInFlight: 8 } }`.
   */
  createBackend(name, addresses, { backend = {}, ...options } = {}) {
    const upstream = { addresses, ...backend.upstream };
    return this.#change("CreateBackend", { backend: { ...backend, name, upstream } }, options);
  }

  /** Deletes a backend. Throws FAILED_PRECONDITION while a traffic policy or shadow uses it. */
  deleteBackend(name, options) {
    return this.#change("DeleteBackend", { name }, options);
  }

  /** Returns all backends, sorted by name. */
  async listBackends() {
    return (await this.admin("ListBackends")).backends;
  }

  /**
   * Adds an endpoint that routes all requests to one backend. Without a route, clients call it only by
   * name. `methods` are the methods of plain HTTP that it accepts, `cors` is for scripts of web pages,
   * and `httpShardKey` is the place of the shard key in requests of plain HTTP.
   */
  createEndpoint(name, { backend, route = "", methods, cors, httpShardKey }, options) {
    return this.#change("CreateEndpoint", { name, backend, route, methods, cors, httpShardKey }, options);
  }

  /** Deletes an endpoint, but not its backends. */
  deleteEndpoint(name, options) {
    return this.#change("DeleteEndpoint", { name }, options);
  }

  /** Returns one endpoint, with the intervals for AffinityMap. */
  getEndpoint(name) {
    return this.admin("GetEndpoint", { name });
  }

  /** Returns all endpoints, sorted by name. */
  async listEndpoints() {
    return (await this.admin("ListEndpoints")).endpoints;
  }

  /**
   * Replaces the weights of an endpoint atomically. They must sum to 1. The previous ones return
   * `revertAfter` a time such as "90s", or unless `ConfirmTraffic` is called `confirmWithin` a time.
   * `overrideRollout` and `overrideFreeze` change weights that a rollout owns, or that are frozen.
   */
  setTraffic(endpoint, traffic, terms = {}) {
    const { revertAfter, confirmWithin, overrideRollout, overrideFreeze, ...options } = terms;
    if (Object.getPrototypeOf(traffic ?? 0) !== Object.prototype) {
      throw new TypeError("invalid traffic: use an object such as { v1: 0.9, v2: 0.1 }");
    }
    const weights = Object.entries(traffic).map(([backend, weight]) => ({ backend, weight }));
    return this.#change("SetTraffic", {
      endpoint, weights, revertAfter, confirmWithin, overrideRollout, overrideFreeze }, options);
  }

  /** Returns the weights of an endpoint by backend. */
  async getTraffic(endpoint) {
    const { weights } = await this.getEndpoint(endpoint);
    return Object.fromEntries(weights.map(({ backend, weight }) => [backend, weight]));
  }

  /**
   * Copies a share of an endpoint's requests to a backend; 0 removes the shadow. `shadow` are the
   * options of the shadow, `{ includeOwn: true }`; without them, those of a present shadow stay.
   */
  shadowTraffic(endpoint, backend, proportion, { shadow, ...options } = {}) {
    return this.#change("ShadowTraffic", { endpoint, backend, proportion, options: shadow }, options);
  }

  /** Returns the reports of an endpoint's shadows. */
  async shadowReport(endpoint) {
    return (await this.admin("GetShadowReport", { endpoint })).reports;
  }

  /** Returns the backend of a call by name, and the reason. AffinityMap computes the same locally. */
  explain(endpoint, shardKey = "") {
    return this.admin("ExplainRoute", { endpoint, shardKey: Buffer.from(shardKey).toString("base64") });
  }

  /** Returns counts and latencies since the server started, of one endpoint or all. */
  stats(endpoint = "") {
    return this.admin("GetStats", { endpoint });
  }

  /**
   * Returns the accepted changes, latest first: those before a revision, of an endpoint, or with
   * decisions of the rollouts of an endpoint.
   */
  async history(limit = 100, { beforeRevision, endpoint, rolloutsOf } = {}) {
    return (await this.admin("ListRevisions", { limit, beforeRevision, endpoint, rolloutsOf })).revisions;
  }

  /** Restores the endpoints, or with `{ endpoint }` one of them, to a revision. */
  rollback(revision, { endpoint = "", ...options } = {}) {
    return this.#change("Rollback", { revision, endpoint }, options);
  }

  /** Streams changes as they happen, starting with the whole state: `for await (const change of client.watch())`. */
  watch({ fromRevision = 0, signal } = {}) {
    return this.adminStream("Watch", { fromRevision }, { signal });
  }

  /** Returns the whole state, or that of a revision, as a configuration for `apply`. */
  async export(revision = 0) {
    return (await this.admin("GetRevision", { revision })).configuration;
  }

  /**
   * Replaces the whole state with a configuration, in one change. Throws FAILED_PRECONDITION if it does
   * not contain all backends and endpoints; with `{ prune: true }`, deletes the others. Throws ABORTED
   * if another change is made at the same time.
   */
  async apply(configuration, { prune = false, ...options } = {}) {
    const send = (terms) => this.#change("Apply", { configuration }, terms);
    if (prune || options.validateOnly) return send(options);
    const plan = await send({ ...options, validateOnly: true });
    const removed = plan.changes.filter(({ action }) => action === "CHANGE_ACTION_REMOVE");
    if (removed.length > 0) {
      const names = removed.map(({ kind, name }) => `${kind} '${name}'`).join(", ");
      throw new WeirError("FAILED_PRECONDITION",
        `nothing has changed: the configuration does not name ${names}; { prune: true } removes them`);
    }
    if (plan.changes.length === 0) return plan;
    // The revision of a plan is the one that it would create.
    const { expectedRevision = String(BigInt(plan.revision) - 1n) } = options;
    return send({ ...options, expectedRevision });
  }

  /**
   * Limits the requests per second of an endpoint; null removes the limit. `burst` is the number of
   * requests at once, by default those of one second.
   */
  setRateLimit(endpoint, requestsPerSecond, { burst = 0, ...options } = {}) {
    const rateLimit = requestsPerSecond === null ? undefined : { requestsPerSecond, burst };
    return this.#change("SetRateLimit", { endpoint, rateLimit }, options);
  }

  /** Replaces the rules that compare the responses of an endpoint's shadows. */
  setShadowComparison(endpoint, comparison, options) {
    return this.#change("SetShadowComparison", { endpoint, comparison }, options);
  }

  /** Resets the reports of an endpoint's shadows, or of one of them. */
  async resetShadowReport(endpoint, backend = "") {
    await this.admin("ResetShadowReport", { endpoint, backend });
  }

  /** Starts to move the traffic of an endpoint to a backend step by step. */
  startRollout(endpoint, plan, options) {
    return this.#change("StartRollout", { endpoint, plan }, options);
  }

  /** Returns the latest rollout of an endpoint. */
  getRollout(endpoint) {
    return this.admin("GetRollout", { endpoint });
  }

  /** Returns the latest rollout of each endpoint. */
  async listRollouts() {
    return (await this.admin("ListRollouts")).rollouts;
  }

  /** Streams a rollout when it changes, until it ends. */
  watchRollout(endpoint, { signal } = {}) {
    return this.adminStream("WatchRollout", { endpoint }, { signal });
  }

  /** Stops all automatic changes of a rollout; its weights stay. */
  pauseRollout(endpoint, options) {
    return this.#change("PauseRollout", { endpoint }, options);
  }

  /**
   * Continues a paused rollout. After another actor's change of the weights, `adopt` continues from
   * the present weights, and `restore` sets those of the step again.
   */
  resumeRollout(endpoint, { adopt = false, restore = false, ...options } = {}) {
    return this.#change("ResumeRollout", { endpoint, adopt, restore }, options);
  }

  /** Approves a complete step, or skips one that is not. Ends the bake. */
  advanceRollout(endpoint, options) {
    return this.#change("AdvanceRollout", { endpoint }, options);
  }

  /** Routes all requests to the candidate at once. */
  promoteRollout(endpoint, options) {
    return this.#change("PromoteRollout", { endpoint }, options);
  }

  /**
   * Ends a rollout and returns to the weights before it. `immediate` skips the ramp of the plan, and
   * `keepWeights` keeps the present weights.
   */
  abortRollout(endpoint, { immediate = false, keepWeights = false, ...options } = {}) {
    return this.#change("AbortRollout", { endpoint, immediate, keepWeights }, options);
  }

  /** Returns a handle that calls an endpoint by its name. */
  getHandle(endpoint) {
    return new Handle(this.#data, endpoint);
  }

  /** Closes both connections. */
  close() {
    this.#admin.close();
    this.#data.close();
  }
}
