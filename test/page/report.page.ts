import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
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

  async function fill(name: string, recording: object): Promise<string> {
    const file = join((await directory).path, name);
    const text = JSON.stringify(recording).replaceAll("<", "\\u003c");
    const html = readFileSync(EMPTY, "utf8");
    const filled = html.replace(
      /(<script type="application\/json" id="recording">)(?=<\/script>)/,
      (tag) => tag + text,
    );
    assert.ok(filled.length > html.length);
    writeFileSync(file, filled);
    return pathToFileURL(file).href;
  }

  it("shows a recording out of one file, without asking anybody for anything", async () => {
    const recording = recordNetwork({ nodes: 5, blocks: 120, seed: 3, splits: 2 });
    const hostile = "<img src=x onerror=alert(1)></script>";
    const named = {
      ...recording,
      nodes: recording.nodes.map((node) => (node.n === 2 ? { ...node, name: hostile } : node)),
    };
    const lab = await browser;
    const page = await lab.open(await fill("report.html", named));
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

  it("draws no more for thousands of blocks than for a hundred", async () => {
    const lab = await browser;
    const costs: Cost[] = [];
    for (const blocks of [100, 4_000]) {
      const recording = recordNetwork({ nodes: 8, blocks, seed: 5, splits: 2 });
      const page = await lab.open(await fill(`${blocks}.html`, recording));
      await page.getByRole("row").nth(8).waitFor();
      costs.push(await costOfFrame(page));
      await page.close();
    }
    const [few, many] = costs as [Cost, Cost];
    assert.ok(few.strokes > 20, "it was drawn");
    assert.ok(many.strokes < 2 * few.strokes, `${many.strokes} strokes, ${few.strokes} of a hundred blocks`);
    assert.ok(
      many.elements < 2 * few.elements,
      `${many.elements} elements, ${few.elements} of a hundred blocks`,
    );
    lab.assertNoFaults();
  });
});

interface Cost {
  readonly strokes: number;
  readonly elements: number;
}

/** What one frame of the tree takes, counted in calls to its canvas, and how many elements the page has. */
const costOfFrame = (page: Page): Promise<Cost> =>
  page.evaluate(async () => {
    const { document, requestAnimationFrame, KeyboardEvent } = globalThis as unknown as {
      document: {
        querySelector(selector: string): {
          getContext(kind: "2d"): Record<string, unknown>;
          dispatchEvent(event: unknown): void;
        };
        querySelectorAll(selector: string): { readonly length: number };
      };
      requestAnimationFrame(call: () => void): void;
      KeyboardEvent: new (type: string, init: object) => unknown;
    };
    const frames = (): Promise<void> =>
      new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const canvas = document.querySelector(".tree canvas");
    const context = canvas.getContext("2d");
    let strokes = 0;
    for (const name of ["fill", "stroke", "rect", "roundRect", "lineTo", "bezierCurveTo", "fillText"]) {
      const draw = context[name] as (...args: unknown[]) => unknown;
      context[name] = (...args: unknown[]): unknown => {
        strokes++;
        return draw.apply(context, args);
      };
    }
    await frames();
    strokes = 0;
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true }));
    await frames();
    return { strokes, elements: document.querySelectorAll("*").length };
  });
