import http2 from "node:http2";
import { Envelopes } from "./envelopes.js";
import { WeirError } from "./errors.js";
import { toJSON } from "./json.js";

// Milliseconds for each call of the admin service.
const ADMIN_TIMEOUT = 10_000;

/** An HTTP/2 connection that is opened on demand and reopened after it closed. */
export class Connection {
  #address;
  #session;
  #tls;
  #token;
  #isClosed = false;

  /**
   * @param {{ tls?: import("node:tls").SecureContextOptions, token?: string }} options
   *   without `tls`, the connection is plaintext, which is allowed with a token only to this machine
   */
  constructor(address, { tls, token } = {}) {
    if (token && !tls && !/^(127\.[\d.]+|localhost|\[::1\]):/.test(address)) {
      throw new TypeError(`sending a token to ${address} requires tls`);
    }
    this.#address = address;
    this.#tls = tls;
    this.#token = token;
  }

  #open() {
    if (this.#isClosed) throw new WeirError("FAILED_PRECONDITION", "the client is closed: connect again");
    if (!this.#session || this.#session.closed || this.#session.destroyed) {
      const session = this.#tls
        ? http2.connect(`https://${this.#address}`, this.#tls)
        : http2.connect(`http://${this.#address}`);
      // The requests report errors of the connection.
      session.on("error", () => {});
      session.on("goaway", () => session.close());
      session.running = 0;
      this.#session = session;
    }
    return this.#session;
  }

  /**
   * Starts a request.
   *
   * @param headers with pseudo-headers
   * @param {Buffer} body
   * @param {{ timeout?: number, signal?: AbortSignal }} options milliseconds
   */
  request(headers, body, { timeout, signal } = {}) {
    const session = this.#open();
    const token = this.#token && { authorization: `Bearer ${this.#token}` };
    const stream = session.request({ ":method": "POST", ...headers, ...token }, { signal });
    // An idle connection must not keep the program running.
    if (session.running++ === 0) session.ref();
    stream.once("close", () => {
      if (--session.running === 0) session.unref();
    });
    if (timeout !== undefined) {
      const timer = setTimeout(
        () => stream.destroy(new WeirError("DEADLINE_EXCEEDED", `no answer within ${timeout} ms`)),
        timeout,
      );
      stream.once("close", () => clearTimeout(timer));
    }
    stream.end(body);
    return stream;
  }

  close() {
    this.#isClosed = true;
    this.#session?.close();
  }
}

/** Converts an error of the connection to a status. */
export function asWeirError(error) {
  if (error instanceof WeirError) return error;
  if (error.name === "AbortError") return new WeirError("CANCELLED", "the call was cancelled");
  return new WeirError("UNAVAILABLE", error.cause?.message ?? error.message);
}

/** gRPC's frame around a message ("Length-Prefixed-Message" in PROTOCOL-HTTP2.md). */
function frame(message) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/**
 * The responses of an RPC of the admin service, as JSON: `application/grpc+json`. Throws a
 * WeirError at the end if the status is not OK.
 */
export async function* call(connection, method, request, options = {}) {
  const stream = connection.request(
    { ":path": `/weir.admin.v1.Admin/${method}`, "content-type": "application/grpc+json", te: "trailers" },
    frame(Buffer.from(toJSON(request))),
    options,
  );
  let trailers;
  stream.on("response", (headers) => {
    if ("grpc-status" in headers) trailers = headers;
  });
  stream.on("trailers", (headers) => {
    trailers = headers;
  });
  const envelopes = new Envelopes();
  const decoder = new TextDecoder();
  try {
    for await (const chunk of stream) {
      for (const { payload } of envelopes.add(chunk)) yield JSON.parse(decoder.decode(payload));
    }
  } catch (error) {
    throw asWeirError(error);
  } finally {
    stream.destroy();
  }
  const error = trailers ? WeirError.fromTrailers(trailers) : new WeirError("UNAVAILABLE", "the connection was lost");
  if (error) throw error;
}

/** The response of a unary RPC. */
export async function unary(connection, method, request) {
  let reply;
  for await (const message of call(connection, method, request, { timeout: ADMIN_TIMEOUT })) reply = message;
  return reply;
}
