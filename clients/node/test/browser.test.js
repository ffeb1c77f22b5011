// Tests the client for browsers with Node's `fetch` against the server at WEIR_ADMIN, which is that
// of smoke.test.js.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { AffinityMap, WebClient } from "../src/browser.js";
import { connect } from "../src/index.js";

const address = process.env.WEIR_ADMIN;
const options = { skip: address ? false : "WEIR_ADMIN is not set: see README.md" };
const GREETER = "helloworld.Greeter";
let control;
let web;

before(async () => {
  if (!address) return;
  control = await connect(address);
  web = new WebClient(`http://${control.dataAddress}/`);
});

after(() => control?.close());

const refused = (promise, expected) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.name, "WeirError", error.stack);
    for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value);
    return true;
  });

const all = async (stream) => {
  const found = [];
  for await (const message of stream) found.push(message);
  return found;
};

test("calls with a shard key, and offline explain", options, async () => {
  const admin = new WebClient(`http://${address}`);
  const affinity = new AffinityMap(await admin.admin("GetEndpoint", { name: "greeter" }));
  const seen = new Set();
  for (let number = 0; number < 20; number++) {
    const shardKey = `user-${number}`;
    const reply = await web.options({ shardKey }).response(`${GREETER}/SayHello`, { name: "Ada" });
    assert.ok(reply.message.message.includes("Ada"));
    assert.equal(reply.backend, affinity.explain(shardKey).backend);
    seen.add(reply.backend);
  }
  assert.equal(seen.size, 2);
  assert.throws(() => new AffinityMap({ name: "x", intervals: [] }), RangeError);
  await assert.rejects(web.call(`${GREETER}/SayHello`, {}, { shardKey: "ключ" }), TypeError);
});

test("streams of replies", options, async () => {
  const replies = await all(web.stream(`${GREETER}/SayHelloStreamReply`, { name: "3" }));
  assert.equal(replies.length, 3);
  assert.ok(replies.every(({ message }) => message.startsWith("xxx")));
});

test("errors have the code and the field", options, async () => {
  await refused(web.call(`${GREETER}/SayHello`, { name: 1 }), { code: "INVALID_ARGUMENT" });
  await refused(web.call("no.Service/Method"), { code: "UNIMPLEMENTED" });
  await refused(all(web.stream("no.Service/Method")), { code: "UNIMPLEMENTED" });
  const admin = new WebClient(`http://${address}`);
  await refused(admin.admin("GetEndpoint", { name: "none" }), { code: "NOT_FOUND", reason: "ENDPOINT_NOT_FOUND" });
  const invalid = admin.admin("CreateEndpoint", { name: "x", route: "no route", firstBackend: "typed" });
  await refused(invalid, { code: "INVALID_ARGUMENT" });
  const controller = new AbortController();
  controller.abort();
  await refused(web.call(`${GREETER}/SayHello`, {}, { signal: controller.signal }), { code: "CANCELLED" });
  await refused(new WebClient("http://127.0.0.1:1").call("a.B/C"), { code: "UNAVAILABLE" });
});

test("hostile servers", async () => {
  const frame = (flag, text) => {
    const bytes = Buffer.from(`.....${text}`);
    bytes[0] = flag;
    bytes.writeUInt32BE(bytes.length - 5, 1);
    return bytes;
  };
  const cases = {
    "/a.B/Html": [502, "<html>", { code: "UNKNOWN" }],
    "/a.B/Array": [400, "[]", { code: "UNKNOWN" }],
    "/a.B/Code": [400, '{"code":"unreal"}', { code: "UNKNOWN" }],
    "/a.B/Error": [404, '{"code":"canceled","message":"m"}', { code: "CANCELLED", message: "m" }],
    "/a.B/Json": [200, "{", { code: "INTERNAL" }],
    "/s.B/Cut": [200, frame(0, "{}").subarray(0, 6), { code: "UNAVAILABLE" }],
    "/s.B/NoEnd": [200, frame(0, "{}"), { code: "UNAVAILABLE" }],
    "/s.B/Json": [200, frame(0, "{"), { code: "INTERNAL" }],
    "/s.B/End": [200, frame(2, '{"error":{"code":"not_found","message":"m"}}'), { code: "NOT_FOUND" }],
    "/s.B/BadEnd": [200, frame(2, '{"error":7}'), { code: "UNKNOWN" }],
  };
  const server = createServer((request, response) => {
    if (request.url === "/s.B/Echo") {
      response.writeHead(200);
      request.on("data", (chunk) => response.write(chunk));
      request.on("end", () => response.end(frame(2, "{}")));
      return;
    }
    request.resume();
    const [status, body] = cases[request.url];
    response.writeHead(status, { "content-type": "x/y" });
    // Byte by byte.
    for (const byte of Buffer.from(body)) response.write(Buffer.from([byte]));
    response.end();
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const hostile = new WebClient(`http://127.0.0.1:${server.address().port}`);
  try {
    const messages = [{ name: "Ö" }, {}, { name: "x".repeat(100_000) }];
    assert.deepEqual(await all(hostile.stream("s.B/Echo", messages)), messages);
    for (const [path, [, , expected]] of Object.entries(cases)) {
      const isStream = path.startsWith("/s");
      await refused(isStream ? all(hostile.stream(path)) : hostile.call(path), expected);
    }
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
