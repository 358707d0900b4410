import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnCli } from "../support/cli.ts";
import { createLab, poll } from "../support/daemon.ts";

test("watch outlives a kill -9 of its node, says that it lost it and what was missed, and goes on", async (t) => {
  const lab = createLab(t);
  const first = await lab.start();
  const { dataDir } = first;
  const watch = spawnCli(["watch", "--data", dataDir, "--kinds", "head", "--json"]);
  t.after(() => watch.kill("SIGKILL"));
  let lines: string[] = [];
  let text = "";
  let errors = "";
  watch.stdout?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
    lines = text.split("\n").slice(0, -1);
  });
  watch.stderr?.setEncoding("utf8").on("data", (part: string) => {
    errors += part;
  });
  const events = () =>
    lines.map((line) => JSON.parse(line) as { type: string; data: Record<string, unknown> });
  await poll("watch shows a head", async () => {
    await first.client.mining({ mode: "blocks", count: 1 });
    return events().some(({ type }) => type === "head");
  });
  await first.end("SIGKILL");
  await poll("watch says so", () => errors.includes("trying again"));
  const second = await lab.start({ dataDir });
  assert.notEqual(second.api, first.api, "it has another port now");
  const gap = await poll("watch is back", () => events().find(({ type }) => type === "gap"));
  assert.equal(gap.data["reason"], "restarted");
  await second.client.mining({ mode: "blocks", count: 1 });
  await poll("events go on", () => events().at(-1)?.type === "head");
  assert.equal(errors.trim().split("\n").length, 1, "one line for one loss");
  assert.equal(watch.exitCode, null);
  watch.kill("SIGINT");
  const code = await new Promise((resolve) => watch.once("exit", resolve));
  assert.equal(code, 0);
});
