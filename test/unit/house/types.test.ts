import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkPure } from "../../../scripts/check-types.ts";

const plant = fileURLToPath(new URL("../../fixtures/pure/globals.ts", import.meta.url));

test("Node's globals do not type-check in a pure folder, whatever the declarations of its dependencies ask for", () => {
  const { leaked, errors } = checkPure([plant]);
  assert.deepEqual(leaked, []);
  for (const name of ["process", "Buffer", "setTimeout", "console"])
    assert.match(errors, new RegExp(`Cannot find name '${name}'`));
});
