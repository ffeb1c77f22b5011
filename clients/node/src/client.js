import os from "node:os";
import { Handle } from "./handle.js";
import { Connection, call, unary } from "./transport.js";

/**
 * A client of the Weir whose admin port is at `host:port`.
 *
 * @param {string} address
 * @param {{ author?: string, dataAddress?: string, tls?: object, token?: string, dataTls?: object }} options `author`
 *   is told in the history with each change; `dataAddress` is where the server takes calls, if that is not where it says
 *   itself; `tls`, as `tls.connect` takes it, and `token` are for the admin port, `dataTls` for the data port
 */
export async function connect(address = "127.0.0.1:8001", options = {}) {
  const admin = new Connection(address, options);
  const dataAddress = options.dataAddress ?? (await learnDataAddress(admin, address));
  const data = new Connection(dataAddress, { tls: options.dataTls });
  return new Client(admin, data, dataAddress, options.author ?? thisUser());
}

function thisUser() {
  let name = "unknown";
  try {
    name = os.userInfo().username;
  } catch {
    // There are users without an entry.
  }
  return `${name}@${os.hostname()}`;
}

/** Where the server that was asked takes calls, as seen from here. */
async function learnDataAddress(admin, address) {
  const { instances } = await unary(admin, "ListInstances", {});
  const told = instances.find((instance) => instance.answering)?.dataAddress;
  if (!told) throw new Error("the server does not say where it takes calls");
  const colon = told.lastIndexOf(":");
  const host = told.slice(0, colon);
  // It listens everywhere: there where its admin port is, too.
  const everywhere = host === "0.0.0.0" || host === "[::]";
  return (everywhere ? address.slice(0, address.lastIndexOf(":")) : host) + told.slice(colon);
}

/**
 * Changes and shows how a Weir routes, and calls its endpoints. What calls return are the messages of
 * `protos/weir/admin/v1/admin.proto` as JSON: names in camel case, 64-bit numbers as text. They throw a WeirError.
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
    /** Where the server takes calls. */
    this.dataAddress = dataAddress;
  }

  /** Any method of the admin service. */
  admin(method, request = {}) {
    return unary(this.#admin, method, request);
  }

  #change(method, request, { expectedRevision, validateOnly, comment } = {}) {
    return this.admin(method, {
      ...request, expectedRevision, validateOnly, note: { author: this.#author, comment },
    });
  }

  /** A backend of gRPC servers that run by themselves. */
  createBackend(name, addresses, terms) {
    return this.#change("CreateBackend", { backend: { name, upstream: { addresses } } }, terms);
  }

  /** FAILED_PRECONDITION while an endpoint's traffic or shadows name it. */
  deleteBackend(name, terms) {
    return this.#change("DeleteBackend", { name }, terms);
  }

  /** All backends, sorted by name. */
  async listBackends() {
    return (await this.admin("ListBackends")).backends;
  }

  /** An endpoint whose requests all go to one backend. Without a route only handles reach it. */
  createEndpoint(name, { backend, route = "" }, terms) {
    return this.#change("CreateEndpoint", { name, backend, route }, terms);
  }

  /** The endpoint's backends stay. */
  deleteEndpoint(name, terms) {
    return this.#change("DeleteEndpoint", { name }, terms);
  }

  /** One endpoint, with the intervals that AffinityMap takes. */
  getEndpoint(name) {
    return this.admin("GetEndpoint", { name });
  }

  /** All endpoints, sorted by name. */
  async listEndpoints() {
    return (await this.admin("ListEndpoints")).endpoints;
  }

  /** Replaces the weights of an endpoint, at once. They sum to 1. */
  setTraffic(endpoint, traffic, terms) {
    const weights = Object.entries(traffic).map(([backend, weight]) => ({ backend, weight }));
    return this.#change("SetTraffic", { endpoint, weights }, terms);
  }

  /** The weights of an endpoint by backend. */
  async getTraffic(endpoint) {
    const { weights } = await this.getEndpoint(endpoint);
    return Object.fromEntries(weights.map(({ backend, weight }) => [backend, weight]));
  }

  /** Copies a share of an endpoint's requests to a backend; 0 ends that. */
  shadowTraffic(endpoint, backend, proportion, terms) {
    return this.#change("ShadowTraffic", { endpoint, backend, proportion }, terms);
  }

  /** How an endpoint's shadows did. */
  async shadowReport(endpoint) {
    return (await this.admin("GetShadowReport", { endpoint })).reports;
  }

  /** Which backend a request by name gets, and why. AffinityMap computes the same without asking. */
  explain(endpoint, shardKey = "") {
    return this.admin("ExplainRoute", { endpoint, shardKey: Buffer.from(shardKey).toString("base64") });
  }

  /** Counts and latencies since the server started, of one endpoint or all. */
  stats(endpoint = "") {
    return this.admin("GetStats", { endpoint });
  }

  /** The accepted changes, latest first. */
  async history(limit = 100) {
    return (await this.admin("ListRevisions", { limit })).revisions;
  }

  /** Makes the endpoints, or with `{ endpoint }` one of them, what they were at a revision. */
  rollback(revision, { endpoint = "", ...terms } = {}) {
    return this.#change("Rollback", { revision, endpoint }, terms);
  }

  /** Changes as they happen: `for await (const change of client.watch())`; the whole state first. */
  watch({ fromRevision = 0, signal } = {}) {
    return call(this.#admin, "Watch", { fromRevision }, { signal });
  }

  /** Calls an endpoint by its name. */
  getHandle(endpoint) {
    return new Handle(this.#data, endpoint);
  }

  /** Ends both connections. */
  close() {
    this.#admin.close();
    this.#data.close();
  }
}
