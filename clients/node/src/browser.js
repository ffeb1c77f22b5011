// A client of Weir for browsers: gRPC methods over Connect with JSON, by `fetch`. No dependencies,
// and nothing of Node; it also works in Node, Deno and workers.
//
//   const client = new WebClient("https://models.example");
//   const reply = await client.call("my.Model/Predict", { n: 1 }, { shardKey: "user-7" });
//   for await (const message of client.stream("my.Model/Watch", { n: 1 })) show(message);

import { Envelopes } from "./envelopes.js";
import { WeirError } from "./errors.js";
import { toJSON } from "./json.js";
import { BACKEND, SHARD_KEY, checkedKey } from "./keys.js";

export { AffinityMap } from "./affinity.js";
export { WeirError } from "./errors.js";
export { BACKEND, SHARD_KEY } from "./keys.js";

const END = 2;

/** Calls the methods of one server. */
export class WebClient {
  #base;
  #defaults;

  /**
   * @param {string} url the address of the data port, or of the admin port
   * @param options defaults of all calls
   */
  constructor(url, options = {}) {
    this.#base = url.replace(/\/+$/, "");
    this.#defaults = options;
  }

  /** The same client with other defaults. */
  options(options) {
    return new WebClient(this.#base, { ...this.#defaults, ...options });
  }

  /** Calls a method with one request and one reply; returns the reply. */
  async call(method, request = {}, options = {}) {
    return (await this.response(method, request, options)).message;
  }

  /** Like `call`; returns the reply, the backend that answered, and the header fields. */
  async response(method, request = {}, options = {}) {
    const response = await this.#fetch(method, "application/json", toJSON(request), options);
    const body = await this.#read(response.text(), options);
    if (!response.ok) throw await refusal(response, body);
    return { message: parse(body), backend: response.headers.get(BACKEND) ?? undefined, headers: response.headers };
  }

  /**
   * Calls a method with a stream of replies; yields the replies. For a method with a stream of
   * requests, `requests` is an array; they are sent before the first reply is read.
   */
  async *stream(method, requests = {}, options = {}) {
    const messages = (Array.isArray(requests) ? requests : [requests]).map(envelope);
    const body = new Blob(messages);
    const response = await this.#fetch(method, "application/connect+json", body, options);
    if (!response.ok) throw await refusal(response, await this.#read(response.text(), options));
    const reader = response.body.getReader();
    try {
      const received = new Envelopes();
      for (;;) {
        const { done, value } = await this.#read(reader.read(), options);
        if (done) throw new WeirError("UNAVAILABLE", "the response ended without a status");
        for (const found of received.add(value)) {
          const message = parse(new TextDecoder().decode(found.payload));
          if ((found.flag & END) === 0) {
            yield message;
            continue;
          }
          if (message.error) throw WeirError.fromConnect(message.error, "the server sent an invalid error");
          return;
        }
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  }

  /** Calls a method of the admin service, on the admin port: `client.admin("GetEndpoint", { name })`. */
  admin(method, request = {}, options = {}) {
    return this.call(`weir.admin.v1.Admin/${method}`, request, options);
  }

  async #fetch(method, type, body, options) {
    const { shardKey, timeout, headers, credentials } = { ...this.#defaults, ...options };
    const fields = new Headers(headers);
    fields.set("content-type", type);
    fields.set("connect-protocol-version", "1");
    if (shardKey !== undefined) fields.set(SHARD_KEY, checkedKey(shardKey));
    if (timeout !== undefined) fields.set("connect-timeout-ms", String(Math.max(1, Math.ceil(timeout))));
    const request = { method: "POST", headers: fields, body, credentials, signal: this.#signal(options) };
    return this.#read(fetch(`${this.#base}/${method.replace(/^\//, "")}`, request), options);
  }

  /** The caller's signal. The server ends a call at its deadline, so that needs none. */
  #signal(options) {
    return options.signal ?? this.#defaults.signal;
  }

  /** The result of a promise of `fetch`, or the error of the call. */
  async #read(promise, options) {
    try {
      return await promise;
    } catch (error) {
      if (this.#signal(options)?.aborted) throw new WeirError("CANCELLED", "the call was cancelled");
      throw new WeirError("UNAVAILABLE", `no response from ${this.#base}: ${error.message}`);
    }
  }
}

/** The error of a response with another status than 200. */
async function refusal(response, body) {
  const otherwise = `HTTP status ${response.status}: ${body.slice(0, 200)}`;
  try {
    return WeirError.fromConnect(JSON.parse(body), otherwise);
  } catch {
    return new WeirError("UNKNOWN", otherwise);
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new WeirError("INTERNAL", `the response is not JSON: ${error.message}`);
  }
}

/** A message with its prefix: a flag and the length. */
function envelope(message) {
  const payload = new TextEncoder().encode(toJSON(message));
  const bytes = new Uint8Array(5 + payload.length);
  new DataView(bytes.buffer).setUint32(1, payload.length);
  bytes.set(payload, 5);
  return bytes;
}
