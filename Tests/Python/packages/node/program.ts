// Compiled against the installed package, with all strict checks.
import { Backend, Configuration, Input, Rollout, WeirError, connect } from "weir-client";

const client = await connect("127.0.0.1:8001", { token: "t", tls: { ca: "x" } });
const backend: Backend = await client.createBackend("b", ["127.0.0.1:1"], { comment: "c" });
const addresses: string[] = backend.upstream?.addresses ?? [];
const state: Configuration = await client.export();
const wanted: Input<Configuration> = { endpoints: [{ name: addresses[0], weights: { b: 1 } }] };
const moved: number[] = (await client.apply(wanted)).changes.map((change) => change.movedShare);
const rollout: Rollout = (await client.startRollout("e", { candidate: "b", bake: "60s" })).rollout ?? {} as Rollout;
const ended: boolean = rollout.phase === "ROLLOUT_PHASE_SUCCEEDED";
for await (const change of client.adminStream("Watch", {})) console.log(change.summary, state, moved, ended);
try {
  await client.admin("SetTraffic", { endpoint: "e", weights: [{ backend: "b", weight: 1 }] });
} catch (error) {
  if (error instanceof WeirError) console.log(error.code);
}

// Messages have types: each of these is an error.
// @ts-expect-error
rollout.phase === "ENDED";
// @ts-expect-error
backend.adress;
// @ts-expect-error
await client.admin("SetTraffic", { endpoints: "e" });
// @ts-expect-error
await client.admin("NoSuchMethod");
// @ts-expect-error
await client.startRollout("e", { candidate: "b", bake: 60 });
