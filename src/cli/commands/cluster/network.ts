import type { Command } from "commander";
import { usageError } from "../../failure.ts";
import { formatDuration, printJson, printLine, shortId, withProgress } from "../../output.ts";
import { duration, integer, path, quoted, timeOption } from "../../values.ts";
import { dirFlag, inDirectory, type Options, open } from "./shared.ts";

async function split(text: string, options: Options & { for?: number }): Promise<void> {
  const { formatSplit, parseSplit } = await import("../../../cluster/index.ts");
  const cluster = await open(options);
  const { groups, names } = parseSplit(
    text,
    (await cluster.info()).nodes.map(({ n }) => n),
  );
  const made = await cluster.split(groups, { names: names ?? undefined, forMs: options.for });
  if (options.json) return printJson(made);
  const end =
    options.for === undefined
      ? `heal with: cumulo cluster heal${dirFlag(options)}`
      : `it heals in ${formatDuration(options.for)}`;
  printLine(`split: ${formatSplit(made, " / ")}; ${end}`);
}

async function link(
  ends: string,
  words: string[],
  options: Options & { both?: boolean; for?: number },
): Promise<void> {
  const { formatShape, parseLinkEnds, parseShape } = await import("../../../cluster/index.ts");
  const shape = parseShape(words);
  const cluster = await open(options);
  const { nodes } = await cluster.info();
  const numbers = nodes.map(({ n }) => n);
  for (const { from, to } of parseLinkEnds(ends, numbers, options.both))
    await cluster.link(from, to, shape, options.for);
  const { links } = await cluster.info();
  if (options.json) return printJson({ links });
  for (const { from, to, shape: present } of links) printLine(`link ${from}->${to}: ${formatShape(present)}`);
  if (links.length === 0) printLine("all links are whole");
  else if (options.for !== undefined) printLine(`whole again in ${formatDuration(options.for)}`);
  else printLine(`make all whole with: cumulo cluster heal${dirFlag(options)}`);
}

async function heal(options: Options): Promise<void> {
  const cluster = await open(options);
  await cluster.heal();
  await cluster.unlink();
  if (options.json) printJson({ healed: true });
  else printLine("healed: all links are whole, and redialled now");
}

async function wait(what: string, options: Options & { timeout: number }): Promise<void> {
  if (what !== "converged")
    throw usageError(`the only thing to wait for is "converged", not ${quoted(what)}`);
  const { waitConverged } = await import("../../../cluster/index.ts");
  const cluster = await open(options);
  const { head, timeMs, sinceHealMs } = await withProgress("waiting for one head", (update) =>
    waitConverged(cluster, {
      timeoutMs: options.timeout,
      onLook: (nodes) => update(`heads: ${nodes.map((node) => node.status?.head.height ?? "?").join(", ")}`),
    }),
  );
  if (options.json) return printJson({ converged: true, head, timeMs: Math.round(timeMs), sinceHealMs });
  const heal = sinceHealMs === null ? "" : `, ${formatDuration(sinceHealMs)} after the last heal`;
  printLine(`converged on ${head.height} ${shortId(head.id)} after ${formatDuration(timeMs)}${heal}`);
}

interface LoadOptions extends Options {
  readonly tps: number;
  readonly for: number;
  readonly passphraseFile?: string;
}

async function load(options: LoadOptions): Promise<void> {
  const { runLoad } = await import("../../../cluster/index.ts");
  const { readPassphrase } = await import("../../passphrase.ts");
  // Not typed: progress is being shown where it would stand.
  const passphrase = async (): Promise<string> => {
    if (options.passphraseFile !== undefined) return readPassphrase(options.passphraseFile);
    throw usageError(
      "the reward key that funds the load is encrypted; name a file that begins with its passphrase: --passphrase-file FILE",
    );
  };
  const cluster = await open(options);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const { ids: _, ...result } = await withProgress("funding the load's keys", (update) =>
    runLoad(cluster, {
      tps: options.tps,
      durationMs: options.for,
      passphrase,
      signal: stop.signal,
      onProgress: ({ sent, refused }) => update(`${sent} sent, ${refused} refused`),
    }),
  );
  if (result.lost.length > 0) process.exitCode = 1;
  if (options.json) return printJson(result);
  const why = Object.entries(result.refusals).map(([code, count]) => `${count} ${code}`);
  const rate = Math.round((result.sent * 1_000) / Math.max(1, result.durationMs));
  printLine(
    `${result.sent} sent in ${formatDuration(result.durationMs)} (${rate} a second): ${result.accepted} accepted, ${result.refused} refused`,
  );
  if (why.length > 0) printLine(`refused by: ${why.join(", ")}`);
  if (result.blocksMined > 0) printLine("one block was mined to fund the load's keys, as mining is off");
  for (const { node, message } of result.lost) printLine(`node ${node} was lost: ${message}`);
  if (result.unanswered > 0)
    printLine(`${result.unanswered} sent without an answer: they may be in a mempool or not`);
}

export function addNetwork(cluster: Command): void {
  inDirectory(cluster.command("split"))
    .description("cut the network into groups that cannot reach each other")
    .argument(
      "<groups>",
      "node numbers and ranges, groups apart by /, such as 1,2/3 or 1-5/6-10; with names: minority=1,2/majority=3-5",
    )
    .option("--for <time>", "heal by itself after this time", duration)
    .addHelpText(
      "after",
      "\nExample:\n  cumulo cluster split 1/2,3\n  cumulo cluster split minority=1,2/majority=3-5 --for 30s",
    )
    .action(split);
  inDirectory(cluster.command("link"))
    .description("make what some nodes send to others late, slow or lost, or nothing of it arrive")
    .argument("<ends>", "1:2 or '1->2' for one way, '1<->2' for both; lists such as 1,2:3-5; all")
    .argument(
      "<shape...>",
      "delay=80ms jitter=20ms loss=5% rate=1mbit blackhole, in place of what was before; whole",
    )
    .option("--both", "the way back too")
    .option("--for <time>", "whole again by itself after this time", duration)
    .addHelpText(
      "after",
      "\ndocs/networking.md says what is modelled. Rates are in bit, kbit, mbit, gbit, B/s, kB/s or MB/s.\n\nExample:\n  cumulo cluster link 1:2 delay=80ms loss=5%\n  cumulo cluster link all rate=1mbit --for 1m\n  cumulo cluster link 1:2 whole --both",
    )
    .action(link);
  inDirectory(cluster.command("heal"))
    .description("join all groups again, and make all links whole")
    .addHelpText("after", "\nExample:\n  cumulo cluster heal")
    .action(heal);
  inDirectory(cluster.command("wait"))
    .description("wait until all nodes agree on one head")
    .argument("<what>", "converged")
    .addOption(timeOption("--timeout <time>", "give up after this time, with exit code 3", "60s"))
    .addHelpText("after", "\nExample:\n  cumulo cluster wait converged --timeout 30s")
    .action(wait);
  inDirectory(cluster.command("load"))
    .description("send signed transfers through all nodes and count what they say")
    .requiredOption("--tps <n>", "transfers a second, 1 to 2000", integer(1, 2_000))
    .requiredOption("--for <time>", "how long", duration)
    .option(
      "--passphrase-file <file>",
      "opens a node's reward key, where that is encrypted, to fund the load",
      path,
    )
    .addHelpText("after", "\nExample:\n  cumulo cluster load --tps 50 --for 30s")
    .action(load);
}
