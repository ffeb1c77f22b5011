// Tests of the console's pure modules.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "./files/format.js";
import { FrameReader, frame } from "./files/frames.js";
import { samples, serverLimits, total } from "./files/limits.js";
import { Model } from "./files/model.js";
import { evidenceRange, sparkline } from "./files/plots.js";
import { leastMoved, moves, parts, withWeights } from "./files/policy.js";
import { Series, around, figures, keptSeconds, point, recent, spans, splits } from "./files/series.js";

test("marks that reorder text or have no width are shown", () => {
  for (const [text, expected] of [
    ["plain <b>", "plain <b>"], ["a\u202eb", "a⟨U+202E⟩b"], ["\u200b\ufeff", "⟨U+200B⟩⟨U+FEFF⟩"],
    ["a\nb\tc", "a\nb\tc"], ["\u0000\u001b[31m", "⟨U+0000⟩⟨U+001B⟩[31m"], ["ä😀", "ä😀"],
    [undefined, ""], [null, ""], [7, "7"],
  ]) assert.equal(format.shown(text), expected);
  assert.equal(format.shown("😀".repeat(10), 3), "😀😀😀…");
});

test("numbers of the API", () => {
  for (const [value, expected] of [
    ["18446744073709551615", 18446744073709551615], ["12", 12], [undefined, 0], ["x", 0], ["NaN", 0],
    ["Infinity", 0], [null, 0],
  ]) assert.equal(format.number(value), expected);
});

test("shares, rates, times and sizes as text", () => {
  for (const [share, text] of [
    [0, "0 %"], [0.00001, "< 0.01 %"], [0.001, "0.10 %"], [0.05, "5.0 %"], [0.25, "25.0 %"],
    [0.333, "33.3 %"], [0.995, "99.5 %"], [0.99999, "> 99.99 %"], [1, "100 %"], [NaN, "–"],
  ]) assert.equal(format.percent(share), text);
  for (const [value, text] of [[0, "0"], [0.25, "0.3"], [0.0001, "0.0001"], [99.9, "99.9"], [1234, "1,234"], [2e6, "2000 k"], [NaN, "–"]]) {
    assert.equal(format.rate(value), text);
  }
  for (const [us, text] of [[0, "–"], [undefined, "–"], [999, "999 µs"], [1500, "1.5 ms"], [15_000, "15 ms"], [2.5e6, "2.5 s"]]) {
    assert.equal(format.latency(us), text);
  }
  for (const [seconds, text] of [[-5, "0 s"], [59, "59 s"], [60, "1 min"], [3_660, "1 h 1 min"], [90_000, "1 d 1 h"], [NaN, "–"]]) {
    assert.equal(format.span(seconds), text);
  }
  for (const [text, seconds] of [["1.5s", 1.5], ["0s", 0], ["", 0], [undefined, 0], ["5", 0], ["1e9s", 0]]) {
    assert.equal(format.seconds(text), seconds);
  }
  assert.equal(format.bytes(1536), "1.5 KiB");
  assert.equal(format.clock("nonsense"), "–");
  assert.equal(format.ago("nonsense", 0), "");
  assert.equal(format.word("ROLLOUT_PHASE_PAUSED", "ROLLOUT_PHASE_"), "paused");
  assert.equal(format.word(undefined, "X"), "unknown");
});

test("frames arrive whole, byte by byte, and in all splits", () => {
  const bytes = new Uint8Array([...frame('{"a":"ä"}'), ...frame("{}"), 2, 0, 0, 0, 2, 0x7b, 0x7d]);
  const expected = [
    { isEnd: false, text: '{"a":"ä"}' }, { isEnd: false, text: "{}" }, { isEnd: true, text: "{}" }];
  assert.deepEqual(new FrameReader().push(bytes), expected);
  for (let split = 0; split <= bytes.length; split += 1) {
    const reader = new FrameReader();
    assert.deepEqual(
      [...reader.push(bytes.subarray(0, split)), ...reader.push(bytes.subarray(split))], expected);
  }
  const reader = new FrameReader();
  assert.deepEqual([...bytes].flatMap((byte) => reader.push(new Uint8Array([byte]))), expected);
});

test("invalid frames are refused", () => {
  for (const bytes of [[1, 0, 0, 0, 0], [0, 255, 255, 255, 255], [0, 0, 0, 0, 1, 0xff]]) {
    assert.throws(() => new FrameReader().push(new Uint8Array(bytes)));
  }
});

const half = "9223372036854775808";
const quarter = "4611686018427387904";

test("the parts that move between two maps", () => {
  const before = parts([{ backend: "a" }, { start: half, backend: "b" }]);
  assert.deepEqual(before, [{ from: 0, to: 0.5, backend: "a" }, { from: 0.5, to: 1, backend: "b" }]);
  const after = parts([{ backend: "a" }, { start: quarter, backend: "b" }]);
  assert.deepEqual(moves(before, after), [{ from: 0.25, to: 0.5, before: "a", after: "b" }]);
  assert.deepEqual(moves(before, before), []);
  assert.deepEqual(moves([], after), []);
  // Adjacent parts with the same owners are one.
  const fine = parts([{ backend: "b" }, { start: quarter, backend: "b" }, { start: half, backend: "b" }]);
  assert.deepEqual(moves(before, fine), [{ from: 0, to: 0.5, before: "a", after: "b" }]);
});

test("what moves equals what the weights require, for random maps", () => {
  let seed = 7;
  const random = () => { seed = (seed * 16807) % 2147483647; return seed / 2147483647; };
  for (let round = 0; round < 200; round += 1) {
    const make = () => {
      const starts = Array.from({ length: 1 + Math.floor(random() * 6) }, random).sort();
      return [0, ...starts].map((from, index, all) => (
        { from, to: all[index + 1] ?? 1, backend: "abc"[Math.floor(random() * 3)] }));
    };
    const [before, after] = [make(), make()];
    const share = (map, backend) => map.filter((each) => each.backend === backend)
      .reduce((sum, each) => sum + each.to - each.from, 0);
    const weights = (map) => [..."abc"].map((backend) => ({ backend, weight: share(map, backend) }));
    const moved = moves(before, after).reduce((sum, each) => sum + each.to - each.from, 0);
    assert.ok(moved >= leastMoved(weights(before), weights(after)) - 1e-9);
  }
});

test("weights that the user sets stay, and the sum is 1", () => {
  const three = [{ backend: "a", weight: 0.5 }, { backend: "b", weight: 0.3 }, { backend: "c", weight: 0.2 }];
  const set = (first, ...values) => withWeights(first, new Map(values)).map((each) => Number(each.weight.toFixed(9)));
  for (const [values, expected] of [
    [[], [0.5, 0.3, 0.2]],
    [[["c", 0.6]], [0.25, 0.15, 0.6]],
    // A return to the first value moves nothing.
    [[["c", 0.2]], [0.5, 0.3, 0.2]], [[["a", 1]], [1, 0, 0]], [[["a", 0]], [0, 0.6, 0.4]],
    // Exact splits.
    [[["a", 0.4], ["b", 0.4]], [0.4, 0.4, 0.2]], [[["a", 0.5], ["b", 0.5]], [0.5, 0.5, 0]],
    // The first value yields.
    [[["a", 0.4], ["b", 0.4], ["c", 0.1]], [0.5, 0.4, 0.1]], [[["a", 0.8], ["b", 0.7]], null],
    [[["a", 2]], [1, 0, 0]], [[["a", -1]], [0, 0.6, 0.4]],
  ]) {
    const made = set(three, ...values);
    if (expected) assert.deepEqual(made, expected, JSON.stringify(values));
    assert.ok(Math.abs(made.reduce((sum, each) => sum + each, 0) - 1) < 1e-9, JSON.stringify(values));
  }
  assert.equal(withWeights(three, new Map([["a", 0.8], ["b", 0.7]]))[1].weight, 0.7);
  assert.deepEqual(set([{ backend: "a", weight: 1 }], ["a", 0.2]), [1]);
  assert.deepEqual(set([{ backend: "a", weight: 1 }, { backend: "b", weight: 0 }, { backend: "c" }], ["a", 0.5]), [0.5, 0.25, 0.25]);
  assert.deepEqual(set([{ backend: "a", weight: 0.5 }, { backend: "b", weight: 0.5 }], ["a", 0.3], ["b", 0.9]), [0.1, 0.9]);
  assert.equal(withWeights([{ backend: "a", weight: 1 / 3 }, { backend: "b", weight: 2 / 3 }], new Map([["a", 1e-7]]))[0].weight, 1e-7);
});

test("the age of a change is by the server's clock", () => {
  const change = new Date(Date.now() - 60_000 + 3_600_000).toISOString();
  format.setClock(-3_600_000);
  assert.equal(format.ago(change), "1 min ago");
  // The delay of the network does not count.
  format.setClock(300);
  assert.equal(format.ago(new Date(Date.now() - 60_000).toISOString()), "1 min ago");
  assert.match(format.zone(), /^UTC([+−]\d{1,2}(:\d\d)?)?$/);
});

test("weights as text, and names in order", () => {
  for (const [value, text] of [
    [0, "0 %"], [undefined, "0 %"], [1e-7, "< 0.01 %"], [0.5, "50 %"], [0.333333, "33.33 %"],
    [0.9999999, "> 99.99 %"], [1, "100 %"],
  ]) assert.equal(format.weight(value), text);
  assert.deepEqual(["b-10", "b-2", "B-2", "a", "b-2"].sort(format.byName), ["a", "b-2", "b-2", "B-2", "b-10"]);
});

test("the samples of the metrics that are wanted", () => {
  const text = '# HELP weir_limit x\nweir_limit{limit="max-connections"} 200\nweir_connections 50\n'
    + 'weir_requests_refused_total{reason="rate"} 7\nweir_requests_refused_total{reason="memory"} 2e0\nother 3\nbroken\n';
  const found = samples(text, (name) => name.startsWith("weir_"));
  assert.deepEqual(found.map((each) => each.value), [200, 50, 7, 2]);
  assert.equal(total(found, "weir_requests_refused_total"), 9);
  assert.equal(total(found, "weir_requests_refused_total", 'reason="rate"'), 7);
  assert.equal(total(found, "missing"), undefined);
  const [connections, , memory] = serverLimits(found);
  assert.deepEqual([connections.used, connections.bound, connections.rejected], [50, 200, undefined]);
  assert.deepEqual([memory.used, memory.rejected], [undefined, 2]);
});

/** A message of WatchStats. */
const stats = (second, backends) => ({ time: new Date(second * 1000).toISOString(), seconds: 1, backends });
const entry = (backend, ok, failed, rest = {}) => ({
  endpoint: "e", backend, requests: String(ok + failed), latency: { p50Us: 10, p99Us: 100 },
  statuses: [{ name: "OK", count: String(ok) }, { name: "UNAVAILABLE", count: String(failed) }], ...rest,
});

test("figures of an endpoint are the sum of its backends without shadows", () => {
  const series = new Series();
  series.add(stats(1, [entry("a", 90, 0), entry("b", 0, 10), entry("c", 0, 50, { shadow: true })]));
  const now = figures(series.endpoint("e"));
  assert.equal(now.requests, 100);
  assert.equal(now.errors, 0.1);
  assert.equal(figures(series.backend("e", "b")).errors, 1);
  assert.deepEqual(series.backend("e", "c"), []);
  assert.deepEqual(series.backends("e").sort(), ["a", "b"]);
  assert.equal(figures([]), null);
});

test("only the server's faults are errors", () => {
  const names = ["OK", "NOT_FOUND", "INVALID_ARGUMENT", "INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED"];
  const made = point({ requests: "6", statuses: names.map((name) => ({ name, count: "1" })) }, 0, 1);
  assert.deepEqual([made.ended, made.faults, made.rejected], [6, 2, 3]);
});

test("the points of an interval that contains the change count as before it", () => {
  const series = new Series();
  for (let second = 1; second <= 10; second += 1) series.add(stats(second, [entry("a", 10, second > 5 ? 10 : 0)]));
  const { before, since } = around(series.endpoint("e"), 5_000);
  assert.deepEqual([before.seconds, before.errors, since.seconds, since.errors], [5, 0, 5, 0.5]);
  assert.equal(around(series.endpoint("e"), 5_500).since.seconds, 4);
  assert.equal(recent(series.endpoint("e"), 3).length, 3);
});

test("figures of the past fill what is missing after a reconnection", () => {
  const series = new Series();
  assert.equal(series.missing(5_000_000), keptSeconds);
  for (let second = 1; second <= 5; second += 1) series.add(stats(second, [entry("a", 1, 0)]));
  assert.equal(series.missing(8_000), 3);
  assert.equal(series.missing(1_000), 0);
  for (const second of [4, 5, 8]) series.add({ ...stats(second, [entry("a", 1, 0)]), seconds: 3 });
  assert.deepEqual(series.endpoint("e").map(({ time }) => time / 1_000), [1, 2, 3, 4, 5, 8]);
  series.clear();
  assert.equal(series.missing(5_000_000), keptSeconds);
});

test("old points and deleted endpoints are forgotten", () => {
  const series = new Series();
  for (let second = 1; second <= 2_000; second += 1) series.add(stats(second, [entry("a", 1, 0)]));
  assert.ok(series.endpoint("e").length < keptSeconds + 70);
  series.keep(() => false);
  assert.equal(series.endpoint("e").length, 0);
});

test("the split of the requests over time", () => {
  const series = new Series();
  for (let second = 1; second <= 90; second += 1) {
    series.add(stats(second, [entry("a", second > 60 ? 5 : 10, 0), entry("b", second > 60 ? 15 : 0, 0)]));
  }
  const of = (since) => splits(["a", "b"].map((name) => series.backend("e", name)), since);
  const all = of(0);
  assert.equal(all.length, 90);
  assert.deepEqual([all[0].shares, all[89].shares, all[89].requests], [[1, 0], [0.25, 0.75], 20]);
  assert.deepEqual([all[0].from, all[0].to], [0, 1_000]);
  assert.equal(of(80_000).length, 10);
  const rows = spans(all, 30);
  assert.deepEqual(rows.map((each) => each.requests), [290, 300, 590, 20]);
  assert.deepEqual(rows[3].shares, [0.25, 0.75]);
  // Intervals without requests have no shares.
  series.add(stats(91, [entry("a", 0, 0)]));
  assert.equal(of(0).length, 90);
  assert.deepEqual(spans([], 30), []);
});

test("requests of an endpoint that were rejected before a backend was chosen", () => {
  const series = new Series();
  const endpoint = (rateLimited, overloaded) => ({ endpoint: "e", rateLimited, overloaded, latency: { p50Us: 3, p99Us: 7 } });
  series.add({ ...stats(1, [entry("a", 10, 0)]), endpoints: [endpoint("6", "0"), { ...endpoint("9"), endpoint: "other" }] });
  series.add({ ...stats(2, [entry("a", 10, 0)]), endpoints: [endpoint("2", "4")] });
  series.add(stats(3, [entry("a", 0, 0)]));
  const all = figures(series.endpoint("e"));
  assert.ok(Math.abs(all.limited - 8 / 3) < 1e-9 && Math.abs(all.overloaded - 4 / 3) < 1e-9);
  // The latency of an endpoint is its own, not that of its worst backend.
  assert.deepEqual([figures(series.endpoint("e").slice(0, 2)).p99, figures(series.backend("e", "a")).p99], [7, 100]);
});

test("a server's clock that goes back starts the series again", () => {
  const series = new Series();
  for (let second = 4_000; second < 4_010; second += 1) series.add(stats(second, [entry("a", 1, 0)]), 1_000 * second);
  series.add(stats(400, [entry("a", 3, 0)]), 4_010_000);
  assert.deepEqual(series.endpoint("e").map(({ requests }) => requests), [3]);
  // What is missing is a span of the page's clock.
  assert.equal(series.missing(4_015_000), 5);
});

test("a plot is scaled by what it shows", () => {
  const at = (second, seconds = 1) => point({ requests: second === 10 ? "900" : "10" }, second * 1_000, seconds);
  const points = [at(10), at(100), at(110), at(111, 0.01)];
  const { children } = sparkline(points, (each) => each.requests, { from: 90_000, to: 120_000, label: "x", marks: [100_000, 10] });
  const [mark, line] = children;
  assert.equal(children.length, 2);
  assert.equal(mark.props.x1, "40.0");
  // Neither the old peak nor the short interval.
  assert.equal(line.props.points, "40.0,2.0 80.0,2.0");
});

test("the range of ratios contains all intervals, up to 1000", () => {
  for (const [states, bound, range] of [
    [[], null, [0.1, 10]], [[{ lower: 0.5, upper: 2 }], 1.5, [0.1, 10]], [[{ lower: 0, upper: Infinity }], 1.5, [0.1, 10]],
    [[{ lower: 32, upper: 64 }], 100, [0.1, 100]], [[{ lower: 0.02, upper: 0.5 }], 20, [0.01, 100]], [[{ lower: 1e-9, upper: 1e9 }], null, [0.001, 1000]],
  ]) assert.deepEqual(evidenceRange(states, bound), range, JSON.stringify(states));
});

test("a backend keeps its colour", () => {
  const model = new Model();
  const endpoint = (...names) => ({ name: "e", weights: names.map((backend) => ({ backend, weight: 1 / names.length })) });
  assert.deepEqual(model.palette(endpoint("b", "c")), ["b", "c"]);
  assert.deepEqual(model.palette(endpoint("a", "c")), ["b", "c", "a"]);
  assert.deepEqual(model.palette(endpoint("a"), ["z", "b"]), ["b", "c", "a", "z"]);
  assert.deepEqual(model.names(endpoint("c", "a")), ["a", "c"]);
});

test("an answer from before a change does not restore what it deleted", () => {
  const model = new Model();
  const backends = [{ name: "a", status: { usable: true } }, { name: "b" }];
  model.listedBackends({ backends, revision: "4" });
  model.watched({ snapshot: true, revision: "4", backends: [{ name: "a" }, { name: "b", descriptorSet: "AA==" }], endpoints: [] }, 0);
  model.watched({ revision: "5", deletedBackends: ["b"] }, 0);
  model.listedBackends({ backends, revision: "4" });
  assert.deepEqual([...model.backends.keys()], ["a"]);
  assert.equal(model.backends.get("a").status.usable, true);
});

test("an endpoint names the backend that fails, and what is rejected", () => {
  const model = new Model();
  const weights = [{ backend: "a", weight: 0.9 }, { backend: "b", weight: 0.1 }];
  model.series.add({ ...stats(1, [entry("a", 900, 0), entry("b", 70, 30)]), endpoints: [{ endpoint: "e", rateLimited: "5", overloaded: "2" }] });
  assert.deepEqual(model.problems({ name: "e", weights }), [
    { level: 2, text: "30.0 % errors of b" }, { level: 2, text: "2.0 requests/s are rejected because the server is overloaded" },
    { level: 1, text: "3.0 % errors in the last 10 s" }, { level: 1, text: "5.0 requests/s over the rate limit are rejected" },
  ]);
});

test("a bad report of a shadow is a problem while the endpoint has the shadow", () => {
  const model = new Model();
  const shadows = ["b", "c", "d", "f"].map((backend) => ({ backend }));
  model.reports.set("e", [
    { backend: "b", verdict: "SHADOW_VERDICT_DIFFERS" }, { backend: "c", verdict: "SHADOW_VERDICT_FIT" },
    { backend: "d", verdict: "SHADOW_VERDICT_TOO_FEW" }, { backend: "z", verdict: "SHADOW_VERDICT_LATE" },
  ]);
  assert.deepEqual(model.problems({ name: "e", shadows }), [{ level: 1, text: "shadow b differs" }]);
  assert.deepEqual(model.problems({ name: "e" }), []);
  assert.deepEqual(model.problems({ name: "other", shadows }), []);
});
