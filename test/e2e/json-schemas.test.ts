import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { JSON_ERROR, JSON_OUTPUTS } from "../../src/cli/json-schemas.ts";
import { stopCluster } from "../../src/cluster/index.ts";
import { runCli, spawnCli } from "../support/cli.ts";
import { createLab, poll } from "../support/daemon.ts";
import { assertFits } from "../support/openapi.ts";
import { createTempDir } from "../support/temp-dir.ts";

describe("what commands print with --json fits their schemas", () => {
  it("of one node: every command that asks it or works on its directory", { timeout: 180_000 }, async (t) => {
    const lab = createLab(t);
    const printed = new Set<string>();
    const first = await lab.start();
    const second = await lab.start();
    const data = ["--data", first.dataDir];

    /** Runs a command and holds its output, or its error, to the schema. */
    async function run(command: string, args: readonly string[], from = data): Promise<unknown> {
      const { code, stdout, stderr } = await runCli([...command.split(" "), ...args, ...from, "--json"]);
      if (code !== 0 && stdout === "") {
        assertFits(JSON_ERROR, JSON.parse(stderr), `${command}: ${stderr}`);
        return undefined;
      }
      assert.equal(code, 0, `${command}: ${stderr}`);
      const value: unknown = JSON.parse(stdout);
      assertFits(JSON_OUTPUTS[command]?.schema, value, command);
      printed.add(command);
      return value;
    }

    const watch = spawnCli(["watch", ...data, "--json"]);
    t.after(() => watch.kill("SIGKILL"));
    let watched = "";
    watch.stdout?.setEncoding("utf8").on("data", (text: string) => {
      watched += text;
    });
    await run("mine", ["2"]);
    await run("key new", ["zoe"]);
    await run("key list", []);
    await run("key export", ["zoe", "-o", join(second.dataDir, "zoe.backup")]);
    await run(
      "key import",
      [join(second.dataDir, "zoe.backup"), "--name", "zoe"],
      ["--data", second.dataDir],
    );
    const sent = (await run("send", ["--from", "reward", "--to", "zoe", "--amount", "1"])) as { id: string };
    await run("tx", [sent.id]);
    await run("mine", ["off"]);
    await run("status", []);
    await run("dashboard", []);
    await run("tips", []);
    await run("peer add", [second.multiaddr]);
    await poll("they are connected", async () => (await first.client.status()).peers === 1);
    await run("doctor", []);
    await run("peers", []);
    await run("peer remove", [second.multiaddr]);
    await run("peer ban", [second.peer, "--for", "1m"]);
    await run("peer bans", []);
    await run("peer unban", [second.peer]);
    const { id } = (await run("block", ["2"])) as { id: string };
    await run("block invalidate", ["2"]);
    await run("reorgs", []);
    await run("block reconsider", [id]);
    await run("account", ["reward"]);
    await run("account", ["reward", "--proof"]);
    await run("account", ["reward", "--history"]);
    await run("account", ["nobody"]);
    await run("block", ["999"]);
    await poll(
      "watch has shown some kinds",
      () => /"type":"head"/.test(watched) && /"type":"peer"/.test(watched),
    );
    for (const line of watched.split("\n").slice(0, -1))
      assertFits(JSON_OUTPUTS["watch"]?.schema, JSON.parse(line), "watch");
    printed.add("watch");
    watch.kill("SIGINT");
    await first.end("SIGTERM");
    await run("db check", []);
    await run("backup", ["-o", join(second.dataDir, "chain.backup")]);
    await run(
      "restore",
      [join(second.dataDir, "chain.backup")],
      ["--data", join(second.dataDir, "restored")],
    );
    await run("reindex", []);
    await run("node init", [], ["--data", join(second.dataDir, "new")]);
    await run("genesis new", ["-o", join(second.dataDir, "g.json")], []);

    const started = spawnCli([
      ...["node", "start", "--data", join(second.dataDir, "new"), "--api", "127.0.0.1:0", "--json"],
      ...["--log-level", "silent"],
    ]);
    t.after(() => started.kill("SIGKILL"));
    let said = "";
    started.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await poll("the node says that it runs", () => said.endsWith("\n"));
    started.kill("SIGINT");
    await once(started, "close");
    // One value in all, also at its end.
    assertFits(JSON_OUTPUTS["node start"]?.schema, JSON.parse(said), "node start");
    printed.add("node start");

    const elsewhere = ["key encrypt", "key passphrase", "key decrypt", "key remove"];
    const missed = Object.keys(JSON_OUTPUTS).filter(
      (command) => !printed.has(command) && !command.startsWith("cluster ") && !elsewhere.includes(command),
    );
    assert.deepEqual(missed, []);
  });

  it("of a cluster: every command that works on one", { timeout: 180_000 }, async (t) => {
    const { path, remove } = await createTempDir();
    const directory = join(path, "cluster");
    // In this order: without its directory a cluster cannot be found.
    t.after(async () => {
      await stopCluster(directory).catch(() => {});
      await remove();
    });
    const lines = [
      "up --nodes 2",
      "status",
      "load --tps 5 --for 1s",
      "split 1/2",
      "link 1:2 delay=5ms",
      "status",
      "heal",
      "wait converged",
      "doctor",
    ];
    lines.push("kill 2", "status", "restart 2", "pause 2", "status", "resume 2", "logs 1");
    lines.push(`record -o ${join(path, "recording.json")}`, `tx ${"5".repeat(64)}`, "down");
    const printed = new Set<string>();
    for (const line of lines) {
      const command = `cluster ${line.split(" ")[0]}`;
      // Load is funded by a reward.
      if (command === "cluster load") await runCli(["mine", "1", "--data", join(directory, "node1")]);
      const args = ["cluster", ...line.split(" "), "--dir", directory, "--json"];
      const { code, stdout, stderr } = await runCli(args);
      assert.equal(code, 0, `${line}: ${stderr}`);
      const texts = JSON_OUTPUTS[command]?.isStream ? stdout.trim().split("\n") : [stdout];
      for (const text of texts) assertFits(JSON_OUTPUTS[command]?.schema, JSON.parse(text), line);
      printed.add(command);
    }
    // Held to theirs in scenarios.test.ts.
    const elsewhere = ["cluster run", "cluster scenarios"];
    const missed = Object.keys(JSON_OUTPUTS).filter(
      (name) => name.startsWith("cluster ") && !printed.has(name) && !elsewhere.includes(name),
    );
    assert.deepEqual(missed, []);
  });

  it("schema prints them, and says which there are", async () => {
    const list = (await runCli(["schema"])).stdout.trim().split("\n");
    assert.deepEqual(list, [...Object.keys(JSON_OUTPUTS), "error"]);
    for (const name of ["status", "cluster status", "error"]) {
      const { stdout } = await runCli(["schema", ...name.split(" ")]);
      const schema = JSON.parse(stdout) as { $schema: string; title: string; type: string };
      assert.match(schema.$schema, /json-schema\.org\/draft\/2020-12/);
      assert.equal(schema.type, "object", name);
    }
    const unknown = await runCli(["schema", "nothing"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /no command "nothing" prints JSON/);
  });
});
