/** Claims the cluster directory in its first argument when told to, says how it went, and keeps it until it is killed. */
import { claimDirectory } from "../../src/cluster/claim.ts";
import { processStart } from "../../src/cluster/processes.ts";

const directory = String(process.argv[2]);
const self = { pid: process.pid, started: (await processStart(process.pid)) ?? "" };
process.on("message", async () => {
  const word = await claimDirectory(directory, self, "token").then(
    () => "won",
    (error: { code?: string }) => String(error.code),
  );
  process.send?.(word);
});
process.send?.("ready");
