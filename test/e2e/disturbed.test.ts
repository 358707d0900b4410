import { test } from "node:test";
import { disturbCluster } from "../support/disturbed-cluster.ts";

test("case 38: kill, pause, loss of network and restart of a node under load: same head everywhere within 20 s; with short ones", {
  timeout: 240_000,
}, async (t) => {
  await disturbCluster(t, { pauseMs: 500 });
});
