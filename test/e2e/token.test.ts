import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "../support/cli.ts";
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
