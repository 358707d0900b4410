import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "../support/cli.ts";
import { createLab } from "../support/daemon.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

test("a data directory's token goes to that node only, not to whatever --api names", async (t) => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.statusCode = 404;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const data = await temporaryDirectory(t);
  await writeFile(join(data, "api-token"), "secret\n");
  const nodeFile = (api: string) =>
    writeFile(join(data, "node.json"), JSON.stringify({ pid: 1, api, multiaddrs: [] }));
  await nodeFile("http://127.0.0.1:1");
  await runCli(["status", "--data", data, "--api", url]);
  await nodeFile(url);
  await runCli(["status", "--data", data, "--api", url]);
  await runCli(["status", "--data", data]);
  assert.deepEqual(seen, [undefined, "Bearer secret", "Bearer secret"]);
});

test("after a kill -9 whoever listens at the node's port now gets neither its token nor a question", async (t) => {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization ?? request.url);
    response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const lab = createLab(t);
  const daemon = await lab.start();
  const { dataDir: data } = daemon;
  const file = join(data, "node.json");
  const note = JSON.parse(await readFile(file, "utf8")) as { pid: number; started: string };
  assert.match(note.started, /./);
  await daemon.end("SIGKILL");
  const stale: readonly (readonly [what: string, note: object])[] = [
    ["the number of a process that has ended", { ...note, api }],
    ["the number of another process by now", { ...note, pid: process.pid, api }],
  ];
  for (const [what, text] of stale) {
    await writeFile(file, JSON.stringify(text));
    for (const args of [["status"], ["mine", "1"], ["watch"]]) {
      const { code, stderr } = await runCli([...args, "--data", data, "--json"]);
      assert.equal(code, 1, what);
      const error = JSON.parse(stderr) as { code: string; message: string };
      assert.equal(error.code, "NODE_NOT_RUNNING");
      assert.match(error.message, /has ended; start it with "cumulo node start --data /);
    }
  }
  assert.deepEqual(seen, []);
  await runCli(["mine", "1", "--data", data, "--api", api]);
  assert.deepEqual(seen, ["/v1/mining"], "asked by name, but without the token");
});
