import { isIP } from "node:net";
import { type Command, InvalidArgumentError } from "commander";
import type { Ban } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { usageError } from "../failure.ts";
import { formatDuration, printJson, printLine, shortPeer, table } from "../output.ts";
import { findPeer, isNameOrAddress } from "../peer-lookup.ts";
import { quoted } from "../values.ts";

type Options = ConnectionOptions & JsonOption;

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_BAN_MS = 365 * 86_400_000;

/** "90s", "30m", "24h", "7d" to ms. */
function banTime(text: string): number {
  const match = /^(\d{1,8})([smhd])$/.exec(text);
  const valueMs = Number(match?.[1]) * (UNITS_MS[match?.[2] ?? ""] ?? Number.NaN);
  if (valueMs >= 1_000 && valueMs <= MAX_BAN_MS) return valueMs;
  throw new InvalidArgumentError("It must be a time from 1s to 365d, such as 30m, 24h or 7d.");
}

function banReason(text: string): string {
  if (/^[^\p{C}]{1,200}$/u.test(text)) return text;
  throw new InvalidArgumentError("It must be 1 to 200 characters on one line.");
}

/** What the node is asked to ban or unban: an address as it is, a name or the end of one as a whole name. */
async function subjectOf(
  client: Awaited<ReturnType<typeof openClient>>,
  text: string,
  bans: readonly Ban[],
): Promise<string> {
  if (text.startsWith("/") || isIP(text) !== 0) return text;
  if (!isNameOrAddress(text))
    throw usageError(
      `a ban names a peer as "cumulo peers" shows it, an IP address or a multiaddr, not ${quoted(text)}`,
    );
  const end = text.replace(/^…/, "");
  const banned = bans.filter(({ kind, subject }) => kind === "peer" && subject.endsWith(end));
  return banned.length === 1 && banned[0] !== undefined ? banned[0].subject : await findPeer(client, text);
}

const until = ({ untilMs }: Ban): string => new Date(untilMs).toISOString().replace(/\.\d+Z$/, "Z");

/** Under `peer`: who is kept away. */
export function addBans(peer: Command): void {
  connected(peer.command("ban"))
    .description("keep a peer away for a time, or all peers at an IP address")
    .argument(
      "<peer>",
      "its name or multiaddr; an IP address, or a multiaddr without a name: all peers there",
    )
    .option("--for <time>", "such as 30m, 24h or 7d (default: 24h)", banTime)
    .option("--reason <text>", "for the list of bans", banReason)
    .addHelpText("after", '\nExample:\n  cumulo peer ban 203.0.113.7 --for 7d --reason "spam" --data ./node1')
    .action(async (name: string, options: Options & { for?: number; reason?: string }) => {
      const client = await openClient(options);
      const ban = await client.ban(await subjectOf(client, name, []), {
        ...(options.for === undefined ? {} : { forMs: options.for }),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      });
      if (options.json) printJson(ban);
      else printLine(`banned ${ban.subject} until ${until(ban)}`);
    });
  connected(peer.command("unban"))
    .description("end a ban")
    .argument("<peer>", 'what "cumulo peer bans" shows')
    .addHelpText("after", "\nExample:\n  cumulo peer unban 203.0.113.7 --data ./node1")
    .action(async (name: string, options: Options) => {
      const client = await openClient(options);
      const { items } = await client.bans({ limit: 1_000 });
      const result = await client.unban(await subjectOf(client, name, items));
      if (options.json) printJson(result);
      else printLine(result.done ? `${name} is no longer banned` : `${name} was not banned`);
    });
  connected(peer.command("bans"))
    .description("bans in force: by hand, and for too many faults")
    .addHelpText("after", "\nExample:\n  cumulo peer bans --json")
    .action(async (options: Options) => {
      const client = await openClient(options);
      const items: Ban[] = [];
      for (let after: string | null = ""; after !== null; ) {
        const page = await client.bans({ limit: 1_000, ...(after === "" ? {} : { after }) });
        items.push(...page.items);
        after = page.next;
      }
      if (options.json) return printJson(items);
      if (items.length === 0) return printLine("nobody is banned");
      const rows = items.map((ban) => [
        ban.kind === "peer" ? shortPeer(ban.subject) : ban.subject,
        until(ban),
        formatDuration(Math.max(0, ban.untilMs - Date.now())),
        ban.byHand ? "by hand" : "faults",
        ban.reason,
      ]);
      printLine(await table(["WHO", "UNTIL", "LEFT", "WHY", "REASON"], rows, { lastWidth: 40 }));
    });
}
