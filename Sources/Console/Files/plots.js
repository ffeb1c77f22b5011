// Plots: small SVG images without a library. Each has a text for users who do not see it, and the
// pages show its numbers in a table.

import { h, svg } from "./dom.js";
import { percent, weight } from "./format.js";
import { plotted } from "./series.js";

/** @typedef {import("./dom.js").VNode} VNode */
/** @typedef {import("./policy.js").Part} Part */
/** @typedef {import("./policy.js").Move} Move */

const colours = 8;

/**
 * The class with the colour of a backend.
 * @param {string[]} names
 * @param {string} name
 */
export function colour(names, name) {
	const index = names.indexOf(name);
	return index < 0 ? "cx" : `c${index % colours}`;
}

/**
 * The name of a backend with its colour.
 * @param {string[]} names
 * @param {string} name
 */
export function backendLabel(names, name) {
	return h("span", { class: "backend" }, h("i", { class: `key ${colour(names, name)}` }),
		h("bdi", { class: "name" }, name));
}

/**
 * The weights as a bar with a legend of numbers.
 * @param {string[]} names
 * @param {import("./policy.js").Weight[]} weights
 */
export function splitBar(names, weights) {
	const text = weights.map((each) => `${each.backend} ${weight(each.weight)}`).join(", ");
	let x = 0;
	const bars = weights.map((each) => {
		const width = (each.weight ?? 0) * 100;
		const bar = h("rect", {
			x: x.toFixed(3),
			width: width.toFixed(3),
			height: 10,
			class: colour(names, each.backend),
		});
		x += width;
		return bar;
	});
	return h("div", { class: "split" },
		svg(100, 10, { role: "img", "aria-label": `weights: ${text}`, class: "bar" }, bars),
		legend(names, weights.map((each) => [each.backend, weight(each.weight)])));
}

/**
 * Backends with their colours and values.
 * @param {string[]} names
 * @param {string[][]} entries
 */
export const legend = (names, entries) => h("ul", { class: "legend" }, entries.map(
	([name = "", value = ""]) => h("li", { key: name }, backendLabel(names, name),
		h("b", null, value))));

/**
 * A line of values over time, with vertical marks.
 * @param {import("./series.js").Point[]} points
 * @param {(each: import("./series.js").Point) => number} value
 * @param {{from: number, to: number, label: string, marks?: number[], floor?: number, tone?: string}} options
 */
export function sparkline(points, value, options) {
	const { from, to, label, marks = [], floor = 0, tone = "" } = options;
	const shown = plotted(points).filter((each) => each.time >= from).map((each) => ({
		time: each.time, value: value(each) }));
	const top = shown.reduce((most, each) => Math.max(most, each.value), floor) || 1;
	const x = (/** @type {number} */ time) => ((time - from) / (to - from) * 120).toFixed(1);
	const line = shown.map(
		(each) => `${x(each.time)},${(23 - each.value / top * 21).toFixed(1)}`).join(" ");
	return svg(120, 24, { role: "img", "aria-label": label, class: `spark ${tone}` },
		marks.filter((time) => time >= from && time <= to).map((time) => h(
			"line", { class: "mark", x1: x(time), x2: x(time), y1: 0, y2: 24 })),
		h("polyline", { points: line }));
}

/**
 * The affinity map as a strip; a second row shows a proposed map, and the parts that move.
 * @param {string[]} names
 * @param {Part[]} parts
 * @param {{next?: Part[], moves?: Move[], label: string}} options
 */
export function strip(names, parts, options) {
	const { next, moves = [], label } = options;
	/**
	 * @param {Part[]} row
	 * @param {number} y
	 * @param {number} height
	 */
	const rects = (row, y, height) => row.map((part) => h("rect", {
		x: (part.from * 1000).toFixed(2),
		y,
		height,
		width: Math.max(0.5, (part.to - part.from) * 1000).toFixed(2),
		class: colour(names, part.backend),
	}, h("title", null, `${part.backend}: ${percent(part.to - part.from)} of the keys`)));
	return svg(1000, next ? 54 : 24, { role: "img", "aria-label": label, class: "strip" },
		rects(parts, 0, next ? 20 : 24),
		next ? rects(next, 34, 20) : null,
		moves.map((move) => h("polygon", {
			class: "moved",
			points: [
				[move.from, 20],
				[move.to, 20],
				[move.to, 34],
				[move.from, 34],
			].map(([x, y]) => `${((x ?? 0) * 1000).toFixed(2)},${y}`).join(" "),
		})),
		moves.map((move) => h("rect", {
			class: "outline",
			x: (move.from * 1000).toFixed(2),
			y: 0,
			height: 54,
			width: Math.max(1, (move.to - move.from) * 1000).toFixed(2),
		})));
}

/**
 * The split of the requests over time, with marks.
 * @param {string[]} names
 * @param {import("./series.js").Split[]} splits
 * @param {{from: number, to: number, label: string, marks: number[]}} options
 * @param {string} kind
 */
export function splitPlot(names, splits, options, kind = "steps over") {
	const { from, to, label, marks } = options;
	const x = (/** @type {number} */ time) => ((time - from) / (to - from) * 1000).toFixed(1);
	const paths = names.map(() => "");
	for (const split of splits) {
		let y = 0;
		split.shares.forEach((share, index) => {
			if (share <= 0) return;
			const [top, bottom] = [y.toFixed(2), (y + share * 90).toFixed(2)];
			paths[index] += `M${x(split.from)},${top}H${x(split.to)}V${bottom}H${x(split.from)}Z`;
			y += share * 90;
		});
	}
	return svg(1000, 90, { role: "img", "aria-label": label, class: kind },
		names.map((name, index) => h("path", { d: paths[index] ?? "", class: colour(names, name) })),
		marks.map((time) => h("line", { class: "mark", x1: x(time), x2: x(time), y1: 0, y2: 90 })));
}

/**
 * The weights after each change: a step for each revision.
 * @param {string[]} names
 * @param {{revision: number, weights: import("./policy.js").Weight[]}[]} steps oldest first
 */
export function splitSteps(names, steps) {
	// Equal widths, because most changes come in bursts; the table has the times.
	const shares = steps.map((step, index) => ({ from: index, to: index + 1, requests: 0,
		shares: names.map((name) => step.weights.find((each) => each.backend === name)?.weight ?? 0) }));
	return splitPlot(names, shares, { from: 0, to: steps.length, marks: [...steps.keys()].slice(1),
		label: `the weights after each of ${steps.length} changes` }, "steps");
}

/**
 * The flow of requests from the keys over the backends to their replicas. The widths of the bands
 * are shares of the requests.
 * @param {string[]} names
 * @param {{backend: string, share: number, text: string,
 *   replicas: {name: string, share: number, ready: boolean}[]}[]} rows
 */
export function flow(names, rows) {
	const [left, middle, right, height] = [0, 470, 1000, 200];
	const gap = 8;
	const free = height - gap * Math.max(0, rows.length - 1);
	const total = rows.reduce((sum, row) => sum + row.share, 0) || 1;
	/** @type {(x1: number, y1: number, h1: number, x2: number, y2: number, h2: number) => string} */
	const band = (x1, y1, h1, x2, y2, h2) => {
		const m = (x1 + x2) / 2;
		const f = (/** @type {number} */ value) => value.toFixed(1);
		return `M${f(x1)},${f(y1)} C${f(m)},${f(y1)} ${f(m)},${f(y2)} ${f(x2)},${f(y2)} L${f(x2)},${f(y2 + h2)} ` +
			`C${f(m)},${f(y2 + h2)} ${f(m)},${f(y1 + h1)} ${f(x1)},${f(y1 + h1)} Z`;
	};
	let source = 0;
	let target = 0;
	/** @type {VNode[]} */
	const bands = [];
	for (const row of rows) {
		const size = Math.max(2, row.share / total * free);
		const all = row.share / total * height;
		const kind = colour(names, row.backend);
		bands.push(h("path", { class: `band ${kind}`, d: band(left + 12, source, all, middle, target,
				size) }));
		bands.push(h("rect", { class: kind, x: middle, y: target.toFixed(1), width: 12, height: size
				.toFixed(1) }));
		const many = row.replicas.length;
		const sum = row.replicas.reduce((acc, each) => acc + each.share, 0);
		let y = target;
		for (const replica of row.replicas) {
			const part = size * (sum > 0 ? replica.share / sum : 1 / many);
			const tone = replica.ready ? kind : "bad";
			bands.push(h("path", {
				class: `band ${kind}`,
				d: band(middle + 12, y, part, right - 12, y, Math.max(0, part - 1)),
			}), h("rect", {
				class: tone,
				x: right - 12,
				y: y.toFixed(1),
				width: 12,
				height: Math.max(1, part - 1).toFixed(1),
			}));
			y += part;
		}
		source += all;
		target += size + gap;
	}
	const label = `flow of requests: ${rows.map((row) => `${row.backend} ${row.text}`).join(", ")}`;
	return svg(1000, height, { role: "img", "aria-label": label, class: "flow" },
		h("rect", { class: "keys", x: left, y: 0, width: 12, height }), bands);
}

/**
 * The range of a plot of ratios: powers of 10 around 1.
 * @param {{lower: number, upper: number}[]} states
 * @param {number | null} bound
 */
export function evidenceRange(states, bound) {
	const values = [bound ?? 1, ...states.flatMap((each) => [each.lower, each.upper])]
		.filter((each) => each > 0 && Number.isFinite(each));
	const power = (/** @type {number} */ value) => Math.ceil(Math.log10(value) - 1e-9);
	return [10 ** -Math.min(3, Math.max(1, power(1 / Math.min(...values)))),
		10 ** Math.min(3, Math.max(1, power(Math.max(...values))))];
}

/**
 * An interval over time around an estimate, on a logarithmic scale, with the bound of a gate.
 * @param {{time: number, lower: number, upper: number, estimate?: number}[]} states
 * @param {number | null} bound
 * @param {string} label
 */
export function evidenceBand(states, bound, label) {
	const first = states[0]?.time ?? 0;
	const last = Math.max(states.at(-1)?.time ?? 1, first + 1000);
	const [least, most] = evidenceRange(states, bound);
	const x = (/** @type {number} */ time) => ((time - first) / (last - first) * 1000).toFixed(1);
	const y = (/** @type {number} */ ratio) => {
		const value = Math.min(most, Math.max(least, Number.isFinite(ratio) ? ratio : most));
		return ((1 - Math.log(value / least) / Math.log(most / least)) * 120).toFixed(1);
	};
	const upper = states.map((each) => `${x(each.time)},${y(each.upper)}`);
	const lower = states.map((each) => `${x(each.time)},${y(each.lower)}`).reverse();
	const line = states.filter((each) => each.estimate !== undefined)
		.map((each) => `${x(each.time)},${y(each.estimate ?? 1)}`).join(" ");
	return svg(1000, 120, { role: "img", "aria-label": label, class: "evidence" },
		h("line", { class: "one", x1: 0, x2: 1000, y1: y(1), y2: y(1) }),
		h("polygon", { class: "interval", points: [...upper, ...lower].join(" ") }),
		h("polyline", { class: "estimate", points: line }),
		bound === null ? null :
		h("line", { class: "bound", x1: 0, x2: 1000, y1: y(bound), y2: y(bound) }));
}
