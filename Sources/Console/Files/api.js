// Calls of the admin service with Connect and JSON.

import { FrameReader, frame } from "./frames.js";

const service = "/weir.admin.v1.Admin/";
const tokenKey = "weir.token";
const callMilliseconds = 20_000;

/** The error of a call. */
export class CallError extends Error {
	/**
	 * @param {string} code of Connect, for example "not_found"
	 * @param {string} message
	 */
	constructor(code, message) {
		super(message);
		this.code = code;
	}
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** @param {{code?: unknown, message?: unknown}} error */
function callError(error) {
	return new CallError(String(error.code ?? "unknown"), String(error.message ?? error.code ?? ""));
}

/** Ends a call that takes too long. */
function deadline() {
	const controller = new AbortController();
	// Browsers allow six connections to a server without TLS, and each visible page has two or three
	// streams.
	const reason = new CallError("unavailable",
		`no response within ${callMilliseconds / 1000} s; the link is slow, or many windows show this console`
		);
	setTimeout(() => controller.abort(reason), callMilliseconds);
	return controller.signal;
}

/**
 * The error of a response with another status than 200.
 * @param {number} status
 * @param {string} text
 */
function statusError(status, text) {
	try {
		return callError(JSON.parse(text));
	} catch {
		return new CallError("unavailable", `status ${status}: ${text.trim().slice(0, 200)}`);
	}
}

/** Calls with the credentials of the user. The token is kept in this tab only. */
export class Client {
	#token = sessionStorage.getItem(tokenKey) ?? "";

	get hasToken() { return this.#token !== ""; }

	/** @param {string} token empty to forget it */
	setToken(token) {
		this.#token = token;
		if (token) sessionStorage.setItem(tokenKey, token);
		else sessionStorage.removeItem(tokenKey);
	}

	/**
	 * @param {string} type
	 * @returns {Record<string, string>}
	 */
	#headers(type) {
		/** @type {Record<string, string>} */
		const headers = { "content-type": type, "connect-protocol-version": "1" };
		if (this.#token) headers.authorization = `Bearer ${this.#token}`;
		return headers;
	}

	/**
	 * @param {string} method
	 * @param {string} type
	 * @param {BodyInit} body
	 * @param {AbortSignal | undefined} signal
	 */
	async #post(method, type, body, signal) {
		try {
			return await fetch(service + method, {
				method: "POST",
				headers: this.#headers(type),
				body,
				signal: signal ?? null,
				cache: "no-store",
				credentials: "same-origin",
				redirect: "error",
				referrerPolicy: "no-referrer",
			});
		} catch {
			throw new CallError("unavailable", signal?.reason instanceof CallError ?
				signal.reason.message : signal?.aborted ? "the call was ended" :
				"the server is not reachable");
		}
	}

	/**
	 * A unary call.
	 * @param {string} method
	 * @param {object} [request]
	 * @param {AbortSignal} [signal]
	 * @returns {Promise<any>}
	 */
	async call(method, request = {}, signal) {
		const timeout = signal ?? deadline();
		const response = await this.#post(method, "application/json", JSON.stringify(request),
			timeout);
		const text = await response.text().catch(() => {
			throw new CallError("unavailable", "the connection ended");
		});
		if (!response.ok) throw statusError(response.status, text);
		try {
			return JSON.parse(text);
		} catch {
			throw new CallError("unknown", `invalid response: ${text.slice(0, 200)}`);
		}
	}

	/**
	 * The messages of a server stream.
	 * @param {string} method
	 * @param {object} request
	 * @param {AbortSignal} signal
	 * @param {() => void} [received] called when bytes arrive
	 * @returns {AsyncGenerator<any>}
	 */
	async * stream(method, request, signal, received) {
		const type = "application/connect+json";
		const body = new Blob([ /** @type {any} */ (frame(JSON.stringify(request)))]);
		const response = await this.#post(method, type, body, signal);
		if (!response.ok || !response.body) {
			throw statusError(response.status, await response.text().catch(() => ""));
		}
		const frames = new FrameReader();
		const reader = response.body.getReader();
		try {
			for (;;) {
				const { done, value } = await reader.read();
				if (done) throw new CallError("unavailable", "the connection ended");
				received?.();
				for (const { isEnd, text } of frames.push(value)) {
					const message = JSON.parse(text);
					if (!isEnd) yield message;
					else if (message.error) throw callError(message.error);
					else return;
				}
			}
		} catch (error) {
			throw error instanceof CallError ? error : signal.reason instanceof CallError ?
				signal.reason : new CallError("unavailable", "the connection ended");
		} finally {
			reader.cancel().catch(() => {});
		}
	}

	/**
	 * `/metrics` as text.
	 * @returns {Promise<string>}
	 */
	async metrics() {
		const headers = this.#headers("text/plain");
		const response = await fetch("/metrics", { headers, cache: "no-store", signal: deadline() });
		if (!response.ok) throw new CallError("unavailable",
		`status ${response.status} for /metrics`);
		return response.text();
	}
}
