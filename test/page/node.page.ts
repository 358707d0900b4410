import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { runCli } from "../support/cli.ts";
import { createLab, type Daemon } from "../support/daemon.ts";
import { until } from "../support/until.ts";
import { assertAccessible, openLab } from "./browser.ts";

describe("the dashboard of one node", () => {
  const nodes = createLab();
  const browser = openLab();
  after(async () => {
    await (await browser).close();
    await nodes.close();
  });

  it("says that its node is gone, and goes on by itself when it is back", async () => {
    const lab = await browser;
    const first = await nodes.start();
    await first.client.mining({ mode: "blocks", count: 3 });
    const address = (await runCli(["dashboard", "--data", first.dataDir])).stdout.trim();
    const page = await lab.open(address);
    const height = async (): Promise<number> =>
      Number(await page.locator(".side tbody tr").first().locator("td").first().innerText());
    await until("its head is shown", async () => (await height()) === 3);
    await page.locator(".controls form").getByRole("button", { name: "Mine", exact: true }).click();
    await until("the block that the page had mined is shown", async () => (await height()) === 4);
    await assertAccessible(page, "one node");
    const failed: string[] = [];
    page.on("response", (response) => {
      if (response.status() >= 400) failed.push(response.url());
    });
    await page.goto(`${new URL(first.api).origin}/#/tx/%`);
    await page.reload();
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await page.goto(`${new URL(first.api).origin}/#/`);
    await until("its head is shown again", async () => (await height()) === 4);
    assert.deepEqual(failed, []);

    const { host } = new URL(first.api);
    await first.end("SIGKILL");
    await page.locator("p.lost").waitFor();
    assert.equal(await height(), 4);
    const again: Daemon = await nodes.start({ dataDir: first.dataDir, args: ["--api", host] });
    await page.locator("p.lost").waitFor({ state: "detached" });
    await again.client.mining({ mode: "blocks", count: 2 });
    await until("what happens now is shown", async () => (await height()) === 6);
    // Without a new load of the page, what was before is still there to go back to.
    await page.getByRole("slider", { name: "Moment shown" }).press("Home");
    await until("the first moment is shown", async () => !((await height()) > 0));
    lab.assertNoFaults();
  });
});
