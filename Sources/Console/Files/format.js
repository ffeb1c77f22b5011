// Values as text. Pure.

/**
 * External text for the page: control characters and marks that reorder text or have no width
 * become visible, and the text is at most `limit` characters long.
 * @param {unknown} text
 * @param {number} [limit]
 */
export function shown(text, limit = 512) {
	const visible = String(text ?? "").replace(
		/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
		(mark) => `⟨U+${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
	const points = Array.from(visible);
	return points.length > limit ? points.slice(0, limit).join("") + "…" : visible;
}

/**
 * A number of the API: 64-bit numbers are strings in JSON.
 * @param {unknown} value
 */
export function number(value) {
	const result = Number(value ?? 0);
	return Number.isFinite(result) ? result : 0;
}

const groups = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** @param {unknown} value */
export function count(value) {
	const whole = number(value);
	if (whole >= 1e9) return `${(whole / 1e9).toFixed(2)} G`;
	return groups.format(whole);
}

/**
 * Requests per second.
 * @param {number} value
 */
export function rate(value) {
	if (!Number.isFinite(value)) return "–";
	if (value >= 100_000) return `${(value / 1000).toFixed(0)} k`;
	if (value >= 100 || value === 0) return groups.format(value);
	if (value < 0.1) return String(Number(value.toPrecision(2)));
	return value.toFixed(1);
}

/**
 * A share as a percentage. A small share does not become 0.
 * @param {number} share
 */
export function percent(share) {
	if (!Number.isFinite(share)) return "–";
	const value = share * 100;
	if (value === 0) return "0 %";
	if (value >= 100) return "100 %";
	if (value > 99.99) return "> 99.99 %";
	if (value < 0.01) return "< 0.01 %";
	return `${value.toFixed(value < 1 ? 2 : 1)} %`;
}

/**
 * A weight. As `percent`, but without digits that are 0.
 * @param {number | undefined} weight
 */
export function weight(weight) {
	const value = (weight ?? 0) * 100;
	if (value > 0 && value < 0.01) return "< 0.01 %";
	if (value > 99.99 && value < 100) return "> 99.99 %";
	return `${Number(value.toFixed(2))} %`;
}

const collator = new Intl.Collator("en", { numeric: true });

/**
 * Compares names: "b-2" is before "b-10".
 * @param {string} a
 * @param {string} b
 */
export const byName = (a, b) => collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);

/**
 * A duration in microseconds.
 * @param {number | undefined} us
 */
export function latency(us) {
	if (us === undefined || !Number.isFinite(us) || us <= 0) return "–";
	if (us < 1000) return `${us.toFixed(0)} µs`;
	if (us < 10_000) return `${(us / 1000).toFixed(1)} ms`;
	if (us < 1_000_000) return `${(us / 1000).toFixed(0)} ms`;
	return `${(us / 1_000_000).toFixed(1)} s`;
}

/**
 * A time span in seconds.
 * @param {number} seconds
 */
export function span(seconds) {
	if (!Number.isFinite(seconds)) return "–";
	const whole = Math.max(0, Math.floor(seconds));
	if (whole < 60) return `${whole} s`;
	if (whole < 3600) return `${Math.floor(whole / 60)} min`;
	if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
	return `${Math.floor(whole / 86_400)} d ${Math.floor(whole % 86_400 / 3600)} h`;
}

/** The milliseconds by which the browser's clock is ahead of the server's. */
let ahead = 0;

/** @param {number} milliseconds small ones are delays of the network */
export const setClock = (milliseconds) => { ahead = Math.abs(milliseconds) > 3000 ? milliseconds :
	0; };

/** The time of the server, in milliseconds. */
export const serverTime = () => Date.now() - ahead;

/** The time zone of `clock`. */
export function zone() {
	const minutes = -new Date().getTimezoneOffset();
	if (minutes === 0) return "UTC";
	const [sign, size] = [minutes < 0 ? "−" : "+", Math.abs(minutes)];
	return `UTC${sign}${Math.floor(size / 60)}${size % 60 ? `:${size % 60}` : ""}`;
}

/**
 * How long ago.
 * @param {string | undefined} time
 * @param {number} [now] in ms
 */
export function ago(time, now = serverTime()) {
	const at = Date.parse(time ?? "");
	if (Number.isNaN(at)) return "";
	const seconds = (now - at) / 1000;
	return seconds < 1 ? "just now" : `${span(seconds)} ago`;
}

/**
 * A time of the API, or in milliseconds, in the local time zone.
 * @param {string | number | undefined} time
 */
export function clock(time) {
	const at = new Date(time ?? "");
	if (Number.isNaN(at.getTime())) return "–";
	/** @param {number} value */
	const two = (value) => String(value).padStart(2, "0");
	return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
		`${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/**
 * Seconds of a duration of the API, "1.5s".
 * @param {string | undefined} text
 */
export function seconds(text) {
	const match = /^(-?\d+(?:\.\d+)?)s$/.exec(text ?? "");
	return match ? Number(match[1]) : 0;
}

/**
 * The word of an enum name: "ROLLOUT_PHASE_PAUSED" is "paused".
 * @param {string | undefined} name
 * @param {string} prefix
 */
export function word(name, prefix) {
	const text = name ?? "";
	return (text.startsWith(prefix) ? text.slice(prefix.length) : text)
		.toLowerCase().replaceAll("_", " ") || "unknown";
}

/** @param {unknown} value */
export function bytes(value) {
	const size = number(value);
	if (size < 1024) return `${size} B`;
	if (size < 1024 ** 2) return `${(size / 1024).toFixed(1)} KiB`;
	if (size < 1024 ** 3) return `${(size / 1024 ** 2).toFixed(1)} MiB`;
	return `${(size / 1024 ** 3).toFixed(1)} GiB`;
}

/**
 * "1 backend", "2 backends".
 * @param {number} count
 * @param {string} noun
 */
export function plural(count, noun) {
	return `${groups.format(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * The elements of a field, which JSON omits without any.
 * @template T
 * @param {T[] | null | undefined} values
 * @returns {T[]}
 */
export const list = (values) => values ?? [];
