// A client of a running Weir: changes and reads its routing, and calls its endpoints. No
// dependencies.
//
//   const client = await connect("127.0.0.1:8001");
//   await client.createBackend("model-v2", ["10.0.0.8:50051"]);
//   await client.setTraffic("model", { "model-v1": 0.9, "model-v2": 0.1 });

export { AffinityMap } from "./affinity.js";
export { Client, connect } from "./client.js";
export { WeirError } from "./errors.js";
export { Handle, Response } from "./handle.js";
export { BACKEND, ENDPOINT, SHADOW, SHARD_KEY, shardKeyInterceptor, withShardKey } from "./metadata.js";
