import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { historyOf } from "../../../src/node/history-view.ts";
import { startApi } from "../../support/api-server.ts";
import { ADDRESS } from "../../support/stub-node-service.ts";

async function refusal(
  t: TestContext,
  path: string,
): Promise<{ status: number; code: string; message: string }> {
  const { url } = await startApi(t, {
    accountHistory: (key, page) => historyOf({ chain: undefined as never, history: undefined }, key, page),
  });
  const response = await fetch(`${url}/v1/accounts/${path}`);
  const { code, message } = (await response.json()) as { code: string; message: string };
  return { status: response.status, code, message };
}

it("page size and cursor of a history are handed on, and checked", async (t) => {
  const { url, node } = await startApi(t);
  const page = await (await fetch(`${url}/v1/accounts/${ADDRESS}/history?limit=3&after=7-1`)).json();
  assert.deepEqual((page as { items: unknown[] }).items, []);
  assert.deepEqual(node.calls, ["accountHistory 3 7-1"]);
  for (const [query, says] of [
    ["limit=1001", /limit must be an integer from 1 to 1000, not 1001/],
    ["after=..", /after must be a `next` value/],
    ["before=7", /unknown key "before"; allowed: limit, after/],
  ] as const) {
    const { code, message } = await refusal(t, `${ADDRESS}/history?${query}`);
    assert.equal(code, "REQUEST_INVALID");
    assert.match(message, says);
  }
  const wrongChecksum = `${ADDRESS.slice(0, -1)}${ADDRESS.endsWith("q") ? "p" : "q"}`;
  assert.match((await refusal(t, `${wrongChecksum}/history`)).message, /wrong checksum/);
});

it("a node that keeps no history says so", async (t) => {
  const { status, code, message } = await refusal(t, `${ADDRESS}/history`);
  assert.deepEqual([status, code], [409, "HISTORY_OFF"]);
  assert.match(message, /--no-history/);
});

for (const cursor of ["7", "7-", "-1", "07-1", "7-4294967296", "1-1-1", "a-b", "9999999999999999-0"])
  it(`${cursor} is no cursor of a history`, async () => {
    await assert.rejects(
      historyOf({ chain: undefined as never, history: {} as never }, new Uint8Array(32), {
        limit: 1,
        after: cursor,
      }),
      { code: "BAD_CURSOR", status: 400 },
    );
  });
