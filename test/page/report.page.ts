import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { recordNetwork } from "../support/recorded-network.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";
import { assertAccessible, openLab } from "./browser.ts";

const EMPTY = fileURLToPath(new URL("../../dist/dashboard/report.html", import.meta.url));

describe("a report", () => {
  const browser = openLab();
  const directory = createTempDir();
  after(async () => {
    await (await browser).close();
    await (await directory).remove();
  });

  it("shows a recording out of one file, without asking anybody for anything", async () => {
    const recording = recordNetwork({ nodes: 5, blocks: 120, seed: 3, splits: 2 });
    const hostile = "<img src=x onerror=alert(1)></script>";
    const named = {
      ...recording,
      nodes: recording.nodes.map((node) => (node.n === 2 ? { ...node, name: hostile } : node)),
    };
    const text = JSON.stringify(named).replaceAll("<", "\\u003c");
    const file = join((await directory).path, "report.html");
    const html = readFileSync(EMPTY, "utf8");
    const filled = html.replace(
      /(<script type="application\/json" id="recording">)(?=<\/script>)/,
      (tag) => tag + text,
    );
    assert.ok(filled.length > html.length);
    writeFileSync(file, filled);
    const lab = await browser;
    const page = await lab.open(pathToFileURL(file).href);
    const rows = page.locator(".side tbody tr");
    await until("all nodes are shown", async () => (await rows.count()) === 5);
    assert.ok((await rows.nth(1).innerText()).includes(hostile));
    assert.equal(await page.locator(".tree-empty").count(), 0, "nothing lies over the tree");
    const reorgs = recording.entries.filter(({ type }) => type === "reorg");
    await page.getByRole("heading", { name: `Reorgs ${reorgs.length}` }).waitFor();
    assert.equal(await page.locator(".controls").count(), 0);
    assert.equal(await page.getByRole("button", { name: "live" }).count(), 0);
    await page.getByRole("slider", { name: "Moment shown" }).press("Home");
    await page.getByRole("heading", { name: "Reorgs 0" }).waitFor();
    await page.getByRole("button", { name: "Event after" }).click();
    await page.getByRole("slider", { name: "Moment shown" }).press("End");
    await page.getByRole("heading", { name: `Reorgs ${reorgs.length}` }).waitFor();
    await assertAccessible(page, "report");
    lab.assertNoFaults();
  });
});
