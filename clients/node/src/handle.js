import { WeirError } from "./errors.js";
import { toJSON } from "./json.js";
import { checkNames } from "./keys.js";
import { BACKEND, ENDPOINT, SHARD_KEY, checkedKey, currentShardKey } from "./metadata.js";
import { asWeirError } from "./transport.js";

/** The response of a backend. */
export class Response {
  constructor(status, contentType, body, backend) {
    this.status = status;
    this.contentType = contentType;
    this.body = body;
    this.backend = backend;
  }

  /** The body as a value: parsed JSON, text, or bytes. */
  get data() {
    const kind = this.contentType.split(";")[0].trim();
    if (kind === "application/json" || kind.endsWith("+json")) return JSON.parse(this.body.toString());
    return kind.startsWith("text/") ? this.body.toString() : this.body;
  }
}

function encode(data) {
  if (ArrayBuffer.isView(data)) {
    return [Buffer.from(data.buffer, data.byteOffset, data.byteLength), "application/octet-stream"];
  }
  if (data instanceof ArrayBuffer) return [Buffer.from(data), "application/octet-stream"];
  if (typeof data === "string") return [Buffer.from(data), "text/plain; charset=utf-8"];
  return [Buffer.from(toJSON(data)), "application/json"];
}

// Later timers of Node end at once.
const MAX_TIMEOUT = 2 ** 31 - 1;

/** A query as text. Throws a TypeError for values that have no text of their own. */
function encodeQuery(query) {
  if (query instanceof URLSearchParams) return query.toString();
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const part of Array.isArray(value) ? value : [value]) {
      if (!["string", "number", "bigint", "boolean"].includes(typeof part)) {
        throw new TypeError(`the value of ${JSON.stringify(name)} in the query has no text: use text, a number, `
          + "a boolean or an array of them");
      }
      search.append(name, part);
    }
  }
  return search.toString();
}

/** Calls one endpoint by its name, without a `.proto`. `options` returns a handle with other options. */
export class Handle {
  #connection;
  #endpoint;
  #options;

  constructor(connection, endpoint, options = {}) {
    this.#connection = connection;
    this.#endpoint = endpoint;
    this.#options = options;
  }

  /**
   * Omitted options keep their values.
   *
   * @param {{ shardKey?: string, timeout?: number, signal?: AbortSignal }} options `timeout` in milliseconds
   */
  options(options) {
    checkNames(options, ["shardKey", "timeout", "signal"]);
    const { shardKey, timeout } = options;
    if (shardKey !== undefined) checkedKey(shardKey);
    if (timeout !== undefined && !(timeout > 0 && timeout <= MAX_TIMEOUT)) {
      throw new TypeError(`invalid timeout ${timeout}: use milliseconds, more than 0 and at most ${MAX_TIMEOUT}`);
    }
    return new Handle(this.#connection, this.#endpoint, { ...this.#options, ...options });
  }

  /**
   * Calls the endpoint and returns the value of the response. Buffers and text are sent unchanged,
   * anything else as JSON. The backend receives the query like that of an HTTP request, with one value
   * for each element of an array. Throws a WeirError.
   */
  async call(data, query = {}) {
    return (await this.response(data, query)).data;
  }

  /** Calls the endpoint and returns the whole response. */
  async response(data, query = {}) {
    const [body, contentType] = encode(data);
    const { shardKey = currentShardKey(), timeout, signal } = this.#options;
    const search = encodeQuery(query);
    const headers = {
      ":path": "/weir.v1.Serve/Call" + (search ? `?${search}` : ""),
      "content-type": contentType,
      [ENDPOINT]: this.#endpoint,
    };
    if (shardKey !== undefined) headers[SHARD_KEY] = shardKey;
    const stream = this.#connection.request(headers, body, { timeout, signal });
    let received = {};
    stream.on("response", (responseHeaders) => {
      received = responseHeaders;
    });
    const parts = [];
    try {
      for await (const part of stream) parts.push(part);
    } catch (error) {
      throw asWeirError(error);
    }
    if (!(":status" in received)) throw new WeirError("UNAVAILABLE", "the connection was lost");
    const response = new Response(
      received[":status"], received["content-type"] ?? "", Buffer.concat(parts), received[BACKEND]);
    // Only an error has a `grpc-status`; a backend may return any HTTP status.
    if ("grpc-status" in received) throw errorOf(response);
    return response;
  }
}

/** The error of a response; a proxy between may have replaced its body. */
function errorOf(response) {
  try {
    const { code, message } = response.data;
    if (typeof code === "string") return new WeirError(code, String(message));
  } catch {
    // The body is not JSON.
  }
  return new WeirError("UNKNOWN", `the server answered with status ${response.status}`);
}
