import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { type ClusterClient, createClusterClient, runLoad, stopCluster } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";
import { assertAccessible, type Lab, layoutShift, openLab, screenshot } from "./browser.ts";

/** One cluster and one page for the whole story; each step goes on from the one before. */
describe("the dashboard of a cluster", () => {
  let remove = async (): Promise<void> => {};
  let directory = "";
  let cluster: ClusterClient;
  let lab: Lab;
  let page: Page;
  let address = "";
  /** The moment before anything was split. */
  let beforeSplit = "";
  /** A transaction that the reorg returns. */
  let returned = "";

  const row = (n: number) => page.locator(".side tbody tr").nth(n - 1);
  const heightOf = async (n: number): Promise<number> =>
    Number((await row(n).locator("td").first().innerText()).replaceAll(",", ""));
  const slider = () => page.getByRole("slider", { name: "Moment shown" });
  const press = (name: string) =>
    page.locator(".controls form").getByRole("button", { name, exact: true }).click();
  const reorgRows = () => page.locator(".reorg-list > li");

  async function mine(n: number, blocks: number): Promise<void> {
    await page.locator(".controls .tabs").getByRole("button", { name: "Mine" }).click();
    await page.locator(".controls form select").selectOption(String(n));
    await page.getByLabel("blocks").fill(String(blocks));
    await page.locator(".controls form").getByRole("button", { name: "Mine", exact: true }).click();
    await page.locator(".outcome", { hasText: `node ${n} mined` }).waitFor();
  }

  before(async () => {
    const temporary = await createTempDir();
    remove = temporary.remove;
    directory = join(temporary.path, "cluster");
    const up = await runCli(["cluster", "up", "--nodes", "3", "--dir", directory, "--log-level", "warn"]);
    assert.equal(up.code, 0, up.stderr);
    cluster = await createClusterClient(directory);
    const agreed = async (): Promise<boolean> =>
      new Set((await cluster.snapshot()).map(({ status }) => status?.head.id)).size === 1;
    await cluster.node(1).mining({ mode: "blocks", count: 6 });
    await until("node 3 has them", agreed);
    // What node 3 pays with later, on its side of the split alone.
    await cluster.node(3).mining({ mode: "blocks", count: 2 });
    await until("all have them", agreed);
    await runLoad(cluster, { tps: 20, durationMs: 1_000 });
    await cluster.node(2).mining({ mode: "blocks", count: 1 });
    await runLoad(cluster, { tps: 20, durationMs: 500 });
    address = (await runCli(["dashboard", "--dir", directory])).stdout.trim();
    lab = await openLab();
    page = await lab.open(address);
  });
  after(async () => {
    await lab?.close();
    await stopCluster(directory).catch(() => {});
    await remove();
  });

  it("shows every node's head, and keeps the token out of the address", async () => {
    await row(3).waitFor();
    await until(
      "all heads are shown",
      async () => (await heightOf(1)) > 8 && (await heightOf(1)) === (await heightOf(3)),
    );
    assert.doesNotMatch(page.url(), /token/);
    const assets = await page.evaluate(() =>
      (performance.getEntriesByType("resource") as unknown as { name: string; encodedBodySize: number }[])
        .filter(({ name }) => name.includes("/assets/"))
        .map(({ encodedBodySize }) => encodedBodySize),
    );
    const bytes = assets.reduce((sum, size) => sum + size, 0);
    assert.ok(
      bytes > 50_000 && bytes < 200_000 && assets.length <= 4,
      `it loads ${bytes} B in ${assets.length}`,
    );
    assert.ok((await layoutShift(page)) < 0.05, `layout shift ${await layoutShift(page)}`);
    await assertAccessible(page, "overview");
  });

  it("splits the nodes from the page, and two branches grow", async () => {
    beforeSplit = await slider().inputValue();
    await press("Split");
    await page.locator(".split", { hasText: "split" }).waitFor();
    const { split } = await cluster.info();
    assert.deepEqual(split?.groups, [[1, 2], [3]]);
    const base = await heightOf(3);
    await page.locator(".controls .tabs").getByRole("button", { name: "Send" }).click();
    for (const [i, n] of [3, 1, 3].entries())
      await page.locator(".controls form select").nth(i).selectOption(String(n));
    await page.getByLabel("coins").fill("1.5");
    await press("Send");
    await page.getByRole("heading", { name: "1.5 coins" }).waitFor();
    returned = /[0-9a-f]{64}/.exec(page.url())?.[0] ?? "";
    await page.goto(`${new URL(page.url()).origin}/#/`);
    const { mempool } = await cluster.node(3).status();
    assert.ok(mempool.transactions > 0);
    await until(
      "what is pending now is shown, though no head has moved",
      async () => (await row(3).locator("td").nth(3).innerText()) === String(mempool.transactions),
    );
    await mine(3, 2);
    await mine(1, 4);
    await until(
      "both branches are shown",
      async () => (await heightOf(3)) === base + 2 && (await heightOf(2)) === base + 4,
    );
    await screenshot(page, "dashboard-split");
  });

  it("heals, and the reorg is in the list with its depth, blocks and fates", async () => {
    await page.locator(".controls .tabs").getByRole("button", { name: "Split" }).click();
    await press("Heal");
    await reorgRows().first().waitFor();
    await until("all heads are one", async () => (await heightOf(3)) === (await heightOf(1)));
    const row = reorgRows().first();
    assert.match(await row.innerText(), /depth 2/);
    await row.getByRole("button", { name: /depth 2/ }).click();
    const [record] = (await cluster.node(3).reorgs()).items;
    await row.getByText("2 blocks out").waitFor();
    await row.getByText("4 blocks in").waitFor();
    await until("the fates are shown", async () => (await row.locator(".fates li").count()) > 0);
    assert.equal(await row.locator(".fates li").count(), record?.transactions.length);
    for (const { id } of record?.blocksOut ?? [])
      assert.ok(await row.locator(`a[href="#/block/${id}"]`).count());
    await assertAccessible(page, "an open reorg");
    await screenshot(page, "dashboard-reorg", true);
  });

  it("scrubs back to before the split: heads, reorgs and links as they were", async () => {
    const now = await heightOf(1);
    await slider().fill(beforeSplit);
    await until("the list of reorgs is as it was", async () => (await reorgRows().count()) === 0);
    assert.equal(await heightOf(1), await heightOf(3));
    assert.ok((await heightOf(1)) < now);
    assert.equal(await page.locator(".split").count(), 0);
    await slider().press("Home");
    // At the very first one nobody had told anything yet.
    await until("the first moment is shown", async () => !((await heightOf(1)) > 0));
    await page.getByRole("button", { name: "live" }).click();
    await until("it is live again", async () => (await heightOf(1)) === now);
    assert.equal(await reorgRows().count(), 1);
  });

  it("shows what is in the tree as text, the same as the nodes say", async () => {
    await page.getByRole("link", { name: "as a table" }).click();
    const rows = page.locator(".page tbody tr");
    await rows.first().waitFor();
    const { items } = await cluster.node(3).tree(100);
    assert.equal(await rows.count(), items.length);
    for (const { id, state } of items) {
      const branch = page
        .locator(".page tr", { has: page.locator(`a[href="#/block/${id}"]`) })
        .locator("td")
        .nth(3);
      assert.equal(await branch.innerText(), state === "side" ? "side" : "best of all", id);
    }
    await assertAccessible(page, "table");
  });

  it("finds a block, a transaction with its fate on every node, and an account", async () => {
    const [record] = (await cluster.node(3).reorgs()).items;
    const search = page.getByRole("searchbox", { name: "Search" });
    const find = async (text: string): Promise<void> => {
      await search.fill(text);
      await search.press("Enter");
    };
    const out = record?.blocksOut[0]?.id ?? "";
    await find(out.slice(0, 12));
    await page.locator(".page .whole-id", { hasText: out }).waitFor();
    assert.equal(await page.getByRole("heading", { name: "Arrival" }).count(), 1);
    await assertAccessible(page, "a block");
    await screenshot(page, "dashboard-block", true);

    await find(returned);
    await page.locator(".page .whole-id", { hasText: returned }).waitFor();
    await until("its life on each node is shown", async () => (await page.locator(".life").count()) === 3);
    const { events } = await cluster.node(3).transaction(returned);
    assert.deepEqual(
      await page
        .locator(".life")
        .nth(2)
        .locator(".events li")
        .evaluateAll((items) => items.map((item) => item.className)),
      events.map(({ what }) => what),
    );
    assert.ok(events.some(({ what }) => what === "returned"));
    await assertAccessible(page, "a transaction");
    await screenshot(page, "dashboard-transaction", true);

    const { mining } = await cluster.node(1).status();
    await find(mining.rewardTo);
    await page.getByRole("heading", { name: /History/ }).waitFor();
    await assertAccessible(page, "an account");
    await find("ffffffffffff");
    await page.locator(".search-problem").waitFor();
  });

  it("shapes a link, tells a refusal in the API's words, and shows a node that is killed and comes back", async () => {
    await page.goto(`${new URL(page.url()).origin}/#/`);
    const { controls } = { controls: page.locator(".controls") };
    await controls.locator(".tabs").getByRole("button", { name: "Link" }).click();
    await press("Shape");
    await page.locator(".shapes", { hasText: "200 ms" }).waitFor();
    await press("Make whole");
    await until("the link is whole", async () => (await page.locator(".shapes").count()) === 0);
    await page.getByLabel("loss, %").fill("900");
    await press("Shape");
    await page.locator(".outcome.bad", { hasText: "lossRatio" }).waitFor();
    await controls.locator(".tabs").getByRole("button", { name: "Process" }).click();
    await page.locator(".controls form select").selectOption("2");
    await press("Kill…");
    await controls.getByRole("button", { name: /^Kill node 2/ }).click();
    await row(2).locator(".badge", { hasText: "gone" }).waitFor();
    await press("Restart");
    await until("it is back", async () => (await row(2).locator(".badge").count()) === 0);
  });

  it("walks the tree by keys", async () => {
    await page.locator(".tree canvas").focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    const parent = (await cluster.node(1).status()).head.parent;
    await page.locator(".page .whole-id", { hasText: parent }).waitFor();
  });

  it("is readable in the dark and on a phone, and shows no controls without the token", async () => {
    const dark = await lab.open(address, { scheme: "dark" });
    await dark.locator(".reorg-list > li").first().waitFor();
    await assertAccessible(dark, "dark");
    await screenshot(dark, "dashboard-dark");
    const phone = await lab.open(address.replace(/#.*/, ""), { width: 390 });
    await phone.locator(".reorg-list > li").first().waitFor();
    const widths = await phone.evaluate(() => {
      const { documentElement } = (
        globalThis as unknown as { document: { documentElement: Record<string, number> } }
      ).document;
      return [documentElement["scrollWidth"], documentElement["clientWidth"]];
    });
    assert.equal(widths[0], widths[1], "nothing reaches over the edge");
    assert.equal(await phone.locator(".controls form").count(), 0);
    await assertAccessible(phone, "phone");
    await screenshot(phone, "dashboard-phone", true);
  });

  it("says when its supervisor is away", async () => {
    await stopCluster(directory);
    await page.locator("p.lost").waitFor();
    await assertAccessible(page, "not connected");
    lab.assertNoFaults();
  });
});
