import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createKeyStore } from "../../src/keys/index.ts";
import { runCli } from "../support/cli.ts";
import { createLab, poll } from "../support/daemon.ts";
import { assertPromised, type OpenApi, operationOf, readOpenApi } from "../support/openapi.ts";

test("what running nodes answer is what their OpenAPI document promises, on every route", async (t) => {
  const lab = createLab(t);
  const first = await lab.start();
  const second = await lab.start({ peers: [first.multiaddr] });
  const token = (await readFile(join(first.dataDir, "api-token"), "utf8")).trim();
  const api: OpenApi = await readOpenApi(first.api);
  const asked = new Set<unknown>();

  async function ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`${first.api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = {
      status: response.status,
      contentType: response.headers.get("content-type") ?? "",
      text: await response.text(),
    };
    const request = { method, path: path.split("?")[0] ?? "" };
    assertPromised(api, request, answer);
    asked.add(operationOf(api, method, request.path));
    return answer.contentType.startsWith("application/json")
      ? (JSON.parse(answer.text) as Record<string, unknown>)
      : {};
  }

  await poll("they are connected", async () => (await first.client.status()).peers === 1);
  const { blocks } = (await ask("POST", "/v1/mining", { mode: "blocks", count: 2 })) as { blocks: string[] };
  const { address } = await createKeyStore(join(first.dataDir, "keys")).create("zoe");
  const send = [
    "send",
    "--from",
    "reward",
    "--to",
    address,
    "--amount",
    "1",
    "--data",
    first.dataDir,
    "--json",
  ];
  const { id } = JSON.parse((await runCli(send)).stdout) as { id: string };
  await ask("GET", `/v1/transactions/${id}`);
  const pending = (await ask("GET", "/v1/mempool")) as { items: { sender: string }[] };
  const reward = pending.items[0]?.sender ?? "";
  // A fork: the other node is cut off, and each mines on.
  await ask("PUT", `/v1/links/${second.peer}`, { mode: "refuse" });
  await ask("GET", "/v1/links");
  await ask("POST", "/v1/mining", { mode: "blocks", count: 1 });
  await second.client.mining({ mode: "blocks", count: 3 });
  await ask("DELETE", `/v1/links/${second.peer}`);
  await poll("there was a reorg", async () => (await first.client.status()).reorgs > 0);

  await ask("GET", "/v1/reorgs?limit=1");
  await ask("POST", "/v1/mining", { mode: "blocks", count: 1 });
  for (const path of ["status", "genesis", "peers", "tips", "tree?depth=10", "bans"])
    await ask("GET", `/v1/${path}`);
  await ask("GET", "/metrics");
  await ask("POST", "/v1/backup");
  for (const name of ["0", "1", blocks[1], "99"]) await ask("GET", `/v1/blocks/${name}`);
  await ask("GET", `/v1/transactions/${id}`);
  await ask("GET", `/v1/transactions/${"0".repeat(64)}`);
  for (const account of [reward, address])
    for (const what of ["", "/proof", "/history?limit=2"]) await ask("GET", `/v1/accounts/${account}${what}`);
  await poll("the history is there", async () => {
    const { items } = (await ask("GET", `/v1/accounts/${address}/history`)) as { items: unknown[] };
    return items.length > 0;
  });
  const transaction = (await ask("GET", `/v1/transactions/${id}`)) as {
    transaction: Record<string, unknown>;
  };
  await ask("POST", "/v1/transactions", transaction.transaction);
  await ask("POST", "/v1/transactions", { ...transaction.transaction, nonce: 7 });
  await ask("POST", "/v1/transactions", { transactions: [{ ...transaction.transaction, fee: 1 }] });
  const tip = (await first.client.status()).head.id;
  await ask("POST", `/v1/blocks/${tip}/invalidate`);
  await ask("POST", `/v1/blocks/${tip}/reconsider`);
  await ask("POST", "/v1/blocks/0/invalidate");
  await ask("POST", "/v1/mining", { mode: "off" });
  await ask("POST", "/v1/peers", { address: second.multiaddr });
  await ask("POST", "/v1/peers", { address: "/ip4/127.0.0.1/tcp/0" });
  await ask("DELETE", `/v1/peers/${second.peer}`);
  await ask("DELETE", `/v1/peers/${second.peer}`);
  await ask("PUT", `/v1/bans/${second.peer}`, { forMs: 60_000, reason: "test" });
  await ask("GET", "/v1/bans");
  await ask("GET", "/v1/peers");
  await ask("DELETE", `/v1/bans/${second.peer}`);
  await ask("PUT", "/v1/bans/127.0.0.1", {});

  await ask("POST", "/v1/attack/release");
  await ask("GET", "/v1/doctor");
  await ask("GET", "/v1/timeline");
  const missed = Object.entries(api.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) =>
      asked.has(operation) ? [] : [`${method} ${path}`],
    ),
  );
  assert.deepEqual(missed, ["get /v1/events"], "events have tests of their own");
});
