import { WeirError } from "./errors.js";
import { toJSON } from "./json.js";
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
    if (options.shardKey !== undefined) checkedKey(options.shardKey);
    return new Handle(this.#connection, this.#endpoint, { ...this.#options, ...options });
  }

  /**
   * Calls the endpoint and returns the value of the response. Buffers and text are sent unchanged,
   * anything else as JSON. The backend receives the query like that of an HTTP request. Throws a
   * WeirError.
   */
  async call(data, query = {}) {
    return (await this.response(data, query)).data;
  }

  /** Calls the endpoint and returns the whole response. */
  async response(data, query = {}) {
    const [body, contentType] = encode(data);
    const { shardKey = currentShardKey(), timeout, signal } = this.#options;
    const search = new URLSearchParams(query).toString();
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
