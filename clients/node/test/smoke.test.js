// Tests the client against the server at WEIR_ADMIN. The server has backends dynamic and dynamic-2,
// which return the request of a dynamic call unchanged, and an endpoint greeter on
// /helloworld.Greeter/ that splits its traffic evenly between typed and typed-2.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { Envelopes } from "../src/envelopes.js";
import { WeirError } from "../src/errors.js";
import { toJSON } from "../src/json.js";
import { AffinityMap, SHARD_KEY, connect, shardKeyInterceptor, withShardKey } from "../src/index.js";

const HALF = { dynamic: 0.5, "dynamic-2": 0.5 };
const address = process.env.WEIR_ADMIN;
const options = { skip: address ? false : "WEIR_ADMIN is not set: see README.md" };
let client;

before(async () => {
  if (!address) return;
  client = await connect(address);
  await client.createEndpoint("node", { backend: "dynamic", route: "/node" });
});

after(async () => {
  await client?.deleteEndpoint("node");
  client?.close();
});

const refused = async (promise, expected) => {
  await assert.rejects(promise, (error) => {
    assert.equal(error.name, "WeirError");
    for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value);
    assert.ok(error.message.length > 5);
    return true;
  });
};

test("backends and endpoints", options, async () => {
  const backend = await client.createBackend("node-upstream", ["127.0.0.1:1"]);
  assert.deepEqual(backend.upstream.addresses, ["127.0.0.1:1"]);
  await refused(client.createBackend("node-upstream", ["127.0.0.1:1"]), {
    code: "ALREADY_EXISTS", field: "backend.name",
  });
  await client.deleteBackend("node-upstream");
  assert.ok(!(await client.listBackends()).some(({ name }) => name === "node-upstream"));
  await refused(client.deleteBackend("node-upstream"), { code: "NOT_FOUND" });
  assert.ok((await client.listEndpoints()).some(({ route }) => route === "/node"));
  await refused(client.createEndpoint("bad", { backend: "dynamic", route: "no route" }), {
    code: "INVALID_ARGUMENT", field: "route",
  });
  await refused(client.admin("NoSuchMethod"), { code: "UNIMPLEMENTED" });
});

test("traffic, shadows and history", options, async () => {
  await refused(client.setTraffic("node", { dynamic: 0.9 }), { code: "INVALID_ARGUMENT", field: "weights" });
  assert.equal((await client.setTraffic("node", HALF, { validateOnly: true })).movedShare, 0.5);
  const [{ revision }] = await client.history(1);
  await refused(client.setTraffic("node", HALF, { expectedRevision: 0 }), {
    code: "ABORTED", reason: "REVISION_CONFLICT",
  });
  const controller = new AbortController();
  const changes = client.watch({ fromRevision: revision, signal: controller.signal });
  await client.setTraffic("node", HALF, { comment: "from Node" });
  const { value: change } = await changes.next();
  assert.equal(change.comment, "from Node");
  assert.equal(change.endpoints[0].name, "node");
  controller.abort();
  await refused(changes.next(), { code: "CANCELLED" });
  assert.deepEqual(await client.getTraffic("node"), HALF);
  const [latest] = await client.history(1);
  assert.equal(latest.comment, "from Node");
  assert.match(latest.author, /@/);
  assert.equal((await client.shadowTraffic("node", "dynamic-2", 1)).shadows[0].proportion, 1);
  assert.deepEqual((await client.shadowReport("node")).map(({ backend }) => backend), ["dynamic-2"]);
  const { changes: undone } = await client.rollback(revision, { endpoint: "node", comment: "back" });
  assert.equal(undone[0].movedShare, 0.5);
});

test("rate limits and comparison of shadows", options, async () => {
  const limited = await client.setRateLimit("node", 100, { burst: 5, comment: "limit" });
  assert.deepEqual(limited.rateLimit, { requestsPerSecond: 100, burst: 5 });
  await refused(client.setRateLimit("node", -1), { code: "INVALID_ARGUMENT", field: "rate_limit.requests_per_second" });
  assert.equal((await client.setRateLimit("node", null)).rateLimit, undefined);
  const { comparison } = await client.setShadowComparison("node", { ignoredFields: ["time"] });
  assert.deepEqual(comparison.ignoredFields, ["time"]);
  await client.shadowTraffic("node", "dynamic-2", 0.5);
  await client.resetShadowReport("node", "dynamic-2");
  await refused(client.resetShadowReport("node", "dynamic"), { code: "NOT_FOUND" });
  await client.shadowTraffic("node", "dynamic-2", 0);
});

test("the whole state", options, async () => {
  const state = await client.export();
  assert.deepEqual((await client.apply(state)).changes, []);
  state.endpoints.find(({ name }) => name === "node").route = "/node-moved";
  const { changes } = await client.apply(state, { validateOnly: true });
  assert.deepEqual(changes.map(({ kind, name }) => [kind, name]), [["endpoint", "node"]]);
  const others = { ...state, endpoints: state.endpoints.filter(({ name }) => name !== "node") };
  await assert.rejects(client.apply(others), { code: "FAILED_PRECONDITION", message: /name endpoint 'node';/ });
  await refused(client.apply({}), { code: "FAILED_PRECONDITION" });
  assert.equal((await client.apply(state, { comment: "moved" })).changes.length, 1);
  assert.equal((await client.apply(others, { prune: true })).changes[0].action, "CHANGE_ACTION_REMOVE");
  await refused(client.apply(state, { expectedRevision: 1 }), { code: "ABORTED" });
  assert.equal((await client.apply(state)).changes.length, 1);
  assert.throws(() => client.deleteEndpoint("node", { prune: true }), TypeError);
});

test("all fields of requests", options, async () => {
  const backend = { options: { maxRequestsInFlight: 7 } };
  const created = await client.createBackend("node-all", ["127.0.0.1:1"], { backend });
  assert.equal(created.options.maxRequestsInFlight, 7);
  assert.deepEqual(created.upstream.addresses, ["127.0.0.1:1"]);
  await client.deleteBackend("node-all");
  const target = { backend: "dynamic", route: "/node-all", methods: ["GET"], cors: { origins: ["*"] } };
  const made = await client.createEndpoint("node-all", { ...target, httpShardKey: { cookie: "user" } }, { comment: "all" });
  assert.deepEqual([made.methods, made.cors.origins, made.httpShardKey.cookie], [["GET"], ["*"], "user"]);
  const boxed = await client.setTraffic("node-all", { "dynamic-2": 1 }, { confirmWithin: "3600s", overrideFreeze: true });
  assert.equal(boxed.endpoint.timeBox.confirmable, true);
  const { shadows } = await client.shadowTraffic("node-all", "dynamic", 1, { shadow: { includeOwn: true } });
  assert.equal(shadows[0].options.includeOwn, true);
  const page = { endpoint: "node-all", beforeRevision: boxed.revision };
  assert.deepEqual((await client.history(9, page)).map(({ comment }) => comment), ["all"]);
  await client.deleteEndpoint("node-all");
});

test("rollouts", options, async () => {
  await client.setTraffic("node", { dynamic: 1 });
  const plan = { candidate: "dynamic-2", steps: ["10%", "50%"], gates: ["errors<1.5x"], minimum: "3600s" };
  assert.equal((await client.startRollout("node", plan, { validateOnly: true })).preview.length, 3);
  const { rollout } = await client.startRollout("node", plan, { comment: "from Node" });
  assert.deepEqual(rollout.plan.steps, ["10%", "50%", "100%"]);
  await refused(client.setTraffic("node", HALF), { code: "FAILED_PRECONDITION" });
  await refused(
    client.abortRollout("node", { immediate: true, keepWeights: true }), { code: "INVALID_ARGUMENT" });
  assert.equal((await client.pauseRollout("node")).pause, "operator");
  assert.equal((await client.resumeRollout("node")).pause, "");
  assert.equal((await client.advanceRollout("node")).step, 1);
  assert.deepEqual((await client.listRollouts()).map(({ endpoint }) => endpoint), ["node"]);
  const seen = client.watchRollout("node");
  assert.equal((await seen.next()).value.step, 1);
  await client.abortRollout("node", { immediate: true });
  for await (const { phase } of seen) rollout.phase = phase;
  assert.equal(rollout.phase, "ROLLOUT_PHASE_ABORTED");
  assert.equal((await client.getRollout("node")).phase, "ROLLOUT_PHASE_ABORTED");
  await client.startRollout("node", plan);
  assert.equal((await client.promoteRollout("node")).phase, "ROLLOUT_PHASE_SUCCEEDED");
});

test("handles and offline explain", options, async () => {
  await client.setTraffic("node", HALF);
  const affinity = new AffinityMap(await client.getEndpoint("node"));
  const handle = client.getHandle("node").options({ timeout: 10_000 });
  const seen = new Set();
  for (let number = 0; number < 40; number++) {
    const shardKey = `user-${number}`;
    const response = await handle.options({ shardKey }).response({ n: number });
    const owner = affinity.explain(shardKey);
    const told = await client.explain("node", shardKey);
    assert.equal(response.backend, owner.backend);
    assert.equal(told.backend, owner.backend);
    assert.equal(BigInt(told.point), owner.point);
    assert.ok(owner.first <= owner.point && owner.point <= owner.last);
    assert.ok(response.body.includes(`{"n":${number}}`));
    seen.add(owner.backend);
  }
  assert.equal(seen.size, 2);
  const { backends } = await client.stats("node");
  assert.equal(backends.filter(({ shadow }) => !shadow).reduce((sum, { requests }) => sum + Number(requests), 0), 40);
  const inBlock = await withShardKey("user-7", () => handle.response(null));
  assert.equal(inBlock.backend, affinity.explain("user-7").backend);
  assert.equal(String(await handle.call("text", { type: "text", bytes: "3" })), "xxx");
  assert.equal((await handle.call(Buffer.from([1]), { type: "a/b", bytes: "2" })).length, 2);
  // A response of a backend is not an error, whatever its status.
  assert.equal((await handle.response(null, { status: "404", "grpc-status": "5" })).status, 404);
  await refused(client.getHandle("none").call(), { code: "NOT_FOUND" });
  await refused(handle.call(null, { fail: "cake" }), { code: "NOT_FOUND", message: "no cake" });
  await refused(handle.options({ timeout: 100 }).call(null, { wait: "" }), { code: "DEADLINE_EXCEEDED" });
  const controller = new AbortController();
  const cancelled = handle.options({ signal: controller.signal }).call(null, { wait: "" });
  setTimeout(() => controller.abort(), 50);
  await refused(cancelled, { code: "CANCELLED" });
  const keys = JSON.parse(await readFile(new URL("../../../protos/vectors/shard_keys.json", import.meta.url), "utf8"));
  for (const key of keys.valid) {
    const { backend } = await handle.options({ shardKey: key }).response(null);
    assert.equal(backend, affinity.explain(key).backend);
  }
  for (const key of [...keys.invalid, 5, null]) {
    assert.throws(() => handle.options({ shardKey: key }), TypeError);
    assert.throws(() => withShardKey(key, () => 1), TypeError);
  }
});

const guarded = process.env.WEIR_GUARDED;

test("tokens", { skip: guarded ? false : "WEIR_GUARDED is not set: see Tests/Python/test_clients.py" }, async () => {
  for (const token of [undefined, "wrong"]) await refused(connect(guarded, { token }), { code: "UNAUTHENTICATED" });
  const operator = await connect(guarded, { token: process.env.WEIR_TOKEN });
  assert.equal((await operator.listBackends()).length, 1);
  const { backend } = await operator.getHandle("recorded").options({ shardKey: "token-test" }).response(1);
  assert.equal(backend, "recorder");
  operator.close();
  await assert.rejects(connect("192.0.2.1:1", { token: "secret" }), TypeError);
});

test("misuse is an error with what to do", options, async () => {
  await assert.rejects(connect(client.dataAddress), { code: "UNIMPLEMENTED", message: /it may be a data port/ });
  await assert.rejects(connect("127.0.0.1:1"), { code: "UNAVAILABLE", message: /ECONNREFUSED.*weir serve/ });
  for (const bad of [25001, "http://127.0.0.1:8001", "localhost", ":8001", "a:0", "a:99999", "a:b", "::1:8001", null]) {
    await assert.rejects(connect(bad), { name: "TypeError", message: /use host:port/ });
  }
  await assert.rejects(connect(address, { autor: "x" }), { name: "TypeError", message: /'autor'/ });
  const fromVariable = await connect();
  fromVariable.close();
  assert.throws(() => client.deleteBackend("none", { commment: "x" }), { name: "TypeError", message: /'commment'/ });
  const handle = client.getHandle("node");
  for (const timeout of [NaN, -1, 0, Infinity, 2 ** 31, "x"]) assert.throws(() => handle.options({ timeout }), TypeError);
  assert.throws(() => handle.options({ shardkey: "x" }), TypeError);
  for (const query of [{ a: {} }, { a: undefined }, { a: null }, { a: [[1]] }]) {
    await assert.rejects(handle.call(null, query), { name: "TypeError", message: /"a" in the query/ });
  }
  assert.equal(String(await handle.call(null, { type: ["text"], bytes: 3 })), "xxx");
  assert.equal(String(await handle.call(null, new URLSearchParams({ type: "text", bytes: "3" }))), "xxx");
  for (const traffic of [new Map([["dynamic", 1]]), null, undefined, [], "x"]) {
    assert.throws(() => client.setTraffic("node", traffic), { name: "TypeError", message: /invalid traffic/ });
  }
  assert.throws(() => new AffinityMap({ name: "a", intervals: [{ backend: "b" }] }).explain(7), TypeError);
});

test("many calls at once share a connection", options, async () => {
  const handle = client.getHandle("node");
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, number) => handle.call(null, { type: "text/plain", bytes: String(number) })));
  answers.forEach((answer, number) => assert.equal(answer.length, number));
});

test("shard keys of stubs", () => {
  // Calls an interceptor as @grpc/grpc-js does.
  class InterceptingCall {
    constructor(call, requester) {
      Object.assign(this, { call, requester });
    }
  }
  const intercept = shardKeyInterceptor({ InterceptingCall });
  const started = (run) => {
    const metadata = new Map();
    run(() => intercept({}, () => "call").requester.start(metadata, {}, () => {}));
    return metadata.get(SHARD_KEY);
  };
  assert.equal(started((start) => withShardKey("user-7", start)), "user-7");
  assert.equal(started((start) => start()), undefined);
});

test("no server", async () => {
  await refused(connect("127.0.0.1:1"), { code: "UNAVAILABLE" });
});

test("the published vectors", async () => {
  const path = new URL("../../../protos/vectors/affinity.json", import.meta.url);
  const { cases } = JSON.parse(await readFile(path, "utf8"));
  let checked = 0;
  for (const { endpoint, intervals, choices } of cases) {
    const affinity = new AffinityMap({ name: endpoint, intervals });
    for (const { key, point, backend } of choices) {
      assert.equal(affinity.point(key), BigInt(point));
      if (key === "") {
        assert.throws(() => affinity.explain(key), RangeError);
        continue;
      }
      assert.equal(affinity.explain(key).backend, backend);
      checked++;
    }
  }
  assert.ok(checked > 20);
});

test("errors of any backend are errors of the client", () => {
  for (const [message, expected] of [
    ["100% full", "100% full"], ["%", "%"], ["%zz%41", "%zzA"], ["%C3%BC", "ü"], ["%C3", "\ufffd"], ["", ""],
  ]) {
    const error = WeirError.fromTrailers({ "grpc-status": "5", "grpc-message": message });
    assert.deepEqual([error.code, error.message], ["NOT_FOUND", expected]);
  }
  for (const packed of ["!", "====", "Gv8=", "GgIK/w==", "GgL/"]) {
    const error = WeirError.fromTrailers({ "grpc-status": "99", "grpc-status-details-bin": packed });
    assert.deepEqual([error.code, error.field, error.reason], ["UNKNOWN", undefined, undefined]);
  }
});

test("envelopes arrive in any parts", () => {
  const bytes = Uint8Array.from([0, 0, 0, 0, 2, 7, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9]);
  for (let size = 1; size <= bytes.length; size++) {
    const envelopes = new Envelopes();
    const found = [];
    for (let start = 0; start < bytes.length; start += size) {
      for (const { flag, payload } of envelopes.add(bytes.subarray(start, start + size))) found.push([flag, ...payload]);
    }
    assert.deepEqual(found, [[0, 7, 8], [1], [0, 9]]);
  }
});

test("a closed client says so", options, async () => {
  const closed = await connect(address);
  const handle = closed.getHandle("node");
  closed.close();
  await refused(closed.listBackends(), { code: "FAILED_PRECONDITION" });
  await refused(handle.call(1), { code: "FAILED_PRECONDITION" });
});

test("values that JSON would change are refused", options, async () => {
  for (const value of [NaN, [Infinity], { a: -Infinity }, new Map([["a", 1]]), { a: new Set() }, () => 1, Symbol("a"),
    { a: new Float32Array(1) }, { a: new ArrayBuffer(1) }, ["\ud800"]]) {
    assert.throws(() => toJSON(value), TypeError);
    await assert.rejects(client.getHandle("node").call(value), TypeError);
  }
  await assert.rejects(client.setTraffic("node", { dynamic: NaN }), TypeError);
  assert.deepEqual([toJSON(undefined), toJSON({ a: undefined, b: [1] })], ["null", '{"b":[1]}']);
  const echo = client.getHandle("node");
  for (const bytes of [new Uint8Array([1, 2]), new Uint16Array([513]), new Uint8Array([1, 2]).buffer]) {
    // The backend returns the request: its first field is the payload.
    assert.ok(Buffer.from(await echo.call(bytes)).includes(Buffer.from([10, 2, 1, 2])));
  }
});
