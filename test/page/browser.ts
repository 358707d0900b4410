import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

const WAIT_MS = 10_000;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A browser, and everything on its pages that should not have been there. */
export interface Lab {
  /** A page of its own storage; its faults are noted. */
  open(url: string, look?: { readonly width?: number; readonly scheme?: "light" | "dark" }): Promise<Page>;
  /** Fails where a page threw, broke its policy, or asked another origin. */
  assertNoFaults(): void;
  close(): Promise<void>;
}

export async function openLab(): Promise<Lab> {
  const browser: Browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "chromium",
    // Its own sandbox needs rights that root in a container does not have; it sees nothing but our page.
    args: ["--no-sandbox"],
  });
  const faults: string[] = [];
  return {
    async open(url, { width = 1280, scheme = "light" } = {}) {
      const context = await browser.newContext({
        viewport: { width, height: width < 600 ? 844 : 900 },
        colorScheme: scheme,
        deviceScaleFactor: width < 600 ? 2 : 1,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(WAIT_MS);
      const { origin } = new URL(url);
      page.on("pageerror", (error) => faults.push(`thrown: ${error.message}`));
      page.on("console", (message) => {
        if (/Content Security Policy|Uncaught/.test(message.text())) faults.push(message.text());
      });
      page.on("request", (request) => {
        const asked = new URL(request.url());
        const isOwn =
          asked.protocol === "file:" ? request.url().split("#")[0] === url : asked.origin === origin;
        if (asked.protocol !== "data:" && !isOwn) faults.push(`asked ${request.url()}`);
      });
      // Counted from the beginning, and without what follows on a press.
      await page.addInitScript(() => {
        const counted = globalThis as unknown as { shift: number };
        counted.shift = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries() as unknown as { value: number; hadRecentInput: boolean }[])
            if (!entry.hadRecentInput) counted.shift += entry.value;
        }).observe({ type: "layout-shift", buffered: true } as unknown as { entryTypes: [] });
      });
      await page.goto(url);
      return page;
    },
    assertNoFaults: () => assert.deepEqual(faults, []),
    close: () => browser.close(),
  };
}

/** Fails with what axe-core finds that keeps people out. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(
    () => (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run() as Promise<AxeResults>,
  );
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .map(({ html }) => html)
        .join(" ")
        .slice(0, 400)}`,
  );
  assert.deepEqual(told, [], what);
}

/** How far things jumped on the page, as browsers count it: 0 is none, 0.1 is still good. */
export const layoutShift = (page: Page): Promise<number> =>
  page.evaluate(() => (globalThis as unknown as { shift: number }).shift);

/** Kept in docs/images where that was asked for. */
export async function screenshot(page: Page, name: string, isWhole = false): Promise<void> {
  const directory = process.env["CUMULO_SCREENSHOTS"];
  if (!directory) return;
  // Until what moves has come to rest.
  await page.waitForTimeout(1_200);
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: isWhole });
}
