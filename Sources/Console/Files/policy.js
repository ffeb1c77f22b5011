// Weights and affinity maps. Pure.

import { byName } from "./format.js";

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
 * @returns {Part[]}
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

const unit = 10_000;

/**
 * The weights after one backend gets a weight; the others keep their proportions. The weights are
 * multiples of 0.0001, and their sum is exactly 1.
 * @param {Weight[]} weights
 * @param {string} backend
 * @param {number} weight
 * @returns {Weight[]}
 */
export function withWeight(weights, backend, weight) {
  const units = Math.round(Math.min(1, Math.max(0, Number.isFinite(weight) ? weight : 0)) * unit);
  const others = weights.filter((entry) => entry.backend !== backend);
  if (others.length === 0) return [{ backend, weight: 1 }];
  const total = others.reduce((sum, entry) => sum + (entry.weight ?? 0), 0);
  let rest = unit - units;
  let share = total;
  const scaled = others.map((entry, index) => {
    const own = total > 0 ? (entry.weight ?? 0) : 1;
    const all = total > 0 ? share : others.length - index;
    const part = all > 0 ? Math.min(rest, Math.round(rest * own / all)) : 0;
    rest -= part;
    share -= own;
    return { backend: entry.backend, weight: part / unit };
  });
  const target = { backend, weight: (units + rest) / unit };
  return [...scaled, target].sort((a, b) => byName(a.backend, b.backend));
}
