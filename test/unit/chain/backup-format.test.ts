import assert from "node:assert/strict";
import { test } from "node:test";
import { type BackupPart, decodeBackup, encodeBackup } from "../../../src/chain/index.ts";

const header: BackupPart = {
  kind: "header",
  header: {
    chain: "ab".repeat(32),
    network: "devnet",
    schema: 1,
    head: { id: "cd".repeat(32), height: 1 },
    firstHeight: 0,
    createdMs: 0,
  },
};

test("a chunk full of tiny rows is handed on in parts: as objects they take a hundred times its memory", async () => {
  const rows = Array.from({ length: 100_000 }, (_, i) => ({
    key: Uint8Array.of(0x62, i, i >> 8, i >> 16),
    value: new Uint8Array(0),
  }));
  const parts = async function* (): AsyncGenerator<BackupPart> {
    yield header;
    yield { kind: "rows", rows };
  };
  const found: number[] = [];
  const again: Uint8Array[] = [];
  for await (const part of decodeBackup(encodeBackup(parts()))) {
    if (part.kind !== "rows") continue;
    found.push(part.rows.length);
    for (const { key } of part.rows) again.push(key);
  }
  assert.ok(Math.max(...found) <= 16_384, `${Math.max(...found)} rows at once`);
  assert.deepEqual(
    again,
    rows.map(({ key }) => key),
  );
});
