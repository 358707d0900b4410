import { test } from "node:test";
import { disturbCluster } from "../support/disturbed-cluster.ts";

test("case 38: kill, 10 s pause, 10 s loss of network and restart of a node under load: same head everywhere within 20 s", {
  timeout: 300_000,
}, async (t) => {
  await disturbCluster(t, { pauseMs: 10_000 });
});
