// Weights and affinity maps. Pure.

/** @typedef {{backend: string, weight?: number}} Weight */
/**
 * A part of [0, 1) with one owner.
 * @typedef {{from: number, to: number, backend: string}} Part
 */
/**
 * A part that changes its owner.
 * @typedef {{from: number, to: number, before: string, after: string}} Move
 */

const points = 2 ** 64;

/**
 * The intervals of an endpoint as shares of the key space.
 * @param {{start?: string, backend: string}[]} intervals
 */
export function parts(intervals) {
	const starts = intervals.map((interval) => Number(BigInt(interval.start ?? "0")) / points);
	return intervals.map((interval, index) => ({ from: starts[index] ?? 0, to: starts[index + 1] ?? 1,
		backend: interval.backend }));
}

/**
 * The parts whose owner differs between two maps.
 * @param {Part[]} before
 * @param {Part[]} after
 * @returns {Move[]}
 */
export function moves(before, after) {
	/** @type {Move[]} */
	const result = [];
	let left = 0;
	let right = 0;
	let from = 0;
	while (left < before.length && right < after.length) {
		const old = /** @type {Part} */ (before[left]);
		const next = /** @type {Part} */ (after[right]);
		const to = Math.min(old.to, next.to);
		if (old.backend !== next.backend && to > from) {
			const last = result.at(-1);
			if (last && last.to === from && last.before === old.backend && last.after === next.backend) {
				last.to = to;
			} else {
				result.push({ from, to, before: old.backend, after: next.backend });
			}
		}
		if (old.to === to) left += 1;
		if (next.to === to) right += 1;
		from = to;
	}
	return result;
}

/**
 * The share of keys that a change of weights must move: the total variation distance.
 * @param {Weight[]} before
 * @param {Weight[]} after
 */
export function leastMoved(before, after) {
	const next = new Map(after.map((entry) => [entry.backend, entry.weight ?? 0]));
	return before.reduce(
		(sum, entry) => sum + Math.max(0, (entry.weight ?? 0) - (next.get(entry.backend) ?? 0)), 0);
}

/**
 * The weights after the user has set those of some backends. The others share the rest in their
 * first proportions. The values that were set first yield if the sum would not be 1.
 * @param {Weight[]} first the weights before
 * @param {Map<string, number>} set the latest last
 */
export function withWeights(first, set) {
	const values = new Map([...set].map(([name, value]) => [name, Math.min(1, Math.max(0, value))]));
	const sum = () => [...values.values()].reduce((all, value) => all + value, 0);
	for (const name of set.keys()) {
		if (values.size <= 1 || values.size < first.length && sum() <= 1) break;
		values.delete(name);
	}
	const others = first.filter((each) => !values.has(each.backend));
	if (others.length === 0) return first.map(({ backend }) => ({ backend, weight: 1 }));
	const all = others.reduce((total, each) => total + (each.weight ?? 0), 0);
	const rest = Math.max(0, 1 - sum());
	return first.map(({ backend, weight = 0 }) => ({
		backend,
		weight: values.get(backend) ?? (all > 0 ? rest * weight / all : rest / others.length),
	}));
}
