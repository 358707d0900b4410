import assert from "node:assert/strict";
import { test } from "node:test";
import { createBackups } from "../../../src/node/backup.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";

test("a second backup of a running chain is refused until the first one ends, also where nothing was read of it", async () => {
  const builder = createBlockBuilder(testGenesis());
  const chain = await openTestChain(builder.genesis);
  await importAll(chain, builder.extend(3));
  const backups = createBackups(chain);
  const first = await backups.backup();
  await assert.rejects(backups.backup(), { code: "BACKUP_RUNNING", status: 409 });
  await first.return?.();
  const second = await backups.backup();
  let bytes = 0;
  for await (const chunk of second) bytes += chunk.length;
  assert.ok(bytes > 1_000);
  await (await backups.backup()).return?.();
  await chain.close();
  await assert.rejects(backups.backup(), { code: "CHAIN_STOPPED" });
  await assert.rejects(backups.backup(), { code: "CHAIN_STOPPED" }, "a failure leaves the way free");
});
