// Moves a share of the demo's users to greeter-v2, and back. Run it against `make run`:
//   node clients/node/examples/canary.js [ADMIN ADDRESS]
//
// The demo's greeter is typed gRPC, so this example only computes the backend of each user; see
// README.md for calls by name.
import { AffinityMap, connect } from "../src/index.js";

const client = await connect(process.argv[2] ?? "127.0.0.1:8001");
for (const share of [0, 0.1, 0.5, 0]) {
  const { movedShare } = await client.setTraffic("greeter", { "greeter-v1": 1 - share, "greeter-v2": share });
  const affinity = new AffinityMap(await client.getEndpoint("greeter"));
  const users = { "greeter-v1": 0, "greeter-v2": 0 };
  for (let user = 0; user < 200; user++) users[affinity.explain(`user-${user}`).backend]++;
  console.log(
    `${String(share * 100).padStart(3)} % canary, ${String(Math.round(movedShare * 100)).padStart(2)} % of users moved: ` +
      Object.entries(users).map(([backend, count]) => `${backend} ${count}`).join(", "),
  );
}
client.close();
