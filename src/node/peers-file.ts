import { rename } from "node:fs/promises";
import Type from "typebox";
import { Check } from "typebox/value";
import { fileProblem, readBounded, replaceWhole } from "../files/index.ts";
import { isPeerName } from "../network/index.ts";
import type { Logger, Timer, Timers } from "../ports/index.ts";
import {
  type Ban,
  formatIp,
  type KnownPeer,
  MAX_ADDRESSES_PER_PEER,
  MAX_BANS,
  MAX_REACHED_PEERS,
  MAX_UNPROVEN_PEERS,
  parseEndpoint,
  parseIp,
} from "../sync/index.ts";

/** What a kill -9 may cost of what is known of peers; bans are saved at once. */
const SAVE_EVERY_MS = 60_000;
/** The same of a node that has kept no peer yet: one that loses them all may find nobody again. */
const FIRST_SAVE_EVERY_MS = 5_000;
/** Above what a full book and a full list of bans take, whose reasons may need six bytes a character. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** A new form of the file gets another number. */
const FORMAT = "cumulo/peers/1";
const MAX_REASON_LENGTH = 200;

/** What is known of peers, as it outlives a restart. */
export interface KeptPeers {
  readonly peers: readonly KnownPeer[];
  readonly bans: readonly Ban[];
}

const Name = Type.String({ minLength: 1, maxLength: 80 });
/** As far as a `Date` goes, or what shows it would fail. */
const Ms = Type.Integer({ minimum: 0, maximum: 8.64e15 });
const strict = { additionalProperties: false };
const FileSchema = Type.Object(
  {
    format: Type.Literal(FORMAT),
    chain: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    peers: Type.Array(
      Type.Object(
        {
          peer: Name,
          source: Type.Enum(["configured", "announced", "exchanged", "mdns"]),
          teller: Type.String({ maxLength: 80 }),
          addresses: Type.Array(
            Type.Object(
              {
                address: Type.String({ maxLength: 80 }),
                proof: Type.Enum(["reached", "origin", "none"]),
              },
              strict,
            ),
            { minItems: 1, maxItems: MAX_ADDRESSES_PER_PEER },
          ),
          firstKnownMs: Ms,
          lastReachedMs: Ms,
          failures: Ms,
        },
        strict,
      ),
      { maxItems: MAX_REACHED_PEERS + MAX_UNPROVEN_PEERS },
    ),
    bans: Type.Array(
      Type.Object(
        {
          subject: Name,
          sinceMs: Ms,
          untilMs: Ms,
          reason: Type.String({ maxLength: MAX_REASON_LENGTH }),
          byHand: Type.Boolean(),
        },
        strict,
      ),
      { maxItems: MAX_BANS },
    ),
  },
  strict,
);

export function encodePeers(chain: string, { peers, bans }: KeptPeers): string {
  const short = bans.map((ban) => ({ ...ban, reason: ban.reason.slice(0, MAX_REASON_LENGTH) }));
  return `${JSON.stringify({ format: FORMAT, chain, peers, bans: short }, undefined, 1)}\n`;
}

/** What a file holds; what is wrong with it where it is not whole, of this form and of this chain. */
export function decodePeers(chain: string, text: string): KeptPeers | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return "it is no JSON";
  }
  const { format } = (json ?? {}) as { format?: unknown };
  if (typeof format === "string" && format !== FORMAT && /^cumulo\/peers\/\d+$/.test(format))
    return `it is of the form ${format}, and this program writes ${FORMAT}`;
  if (!Check(FileSchema, json)) return "it is damaged";
  if (json.chain !== chain) return "it is another chain's";
  const isIp = (subject: string): boolean => {
    const bytes = parseIp(subject);
    return bytes !== undefined && formatIp(bytes) === subject;
  };
  const isWhole =
    json.peers.every(
      ({ peer, addresses }) =>
        isPeerName(peer) && addresses.every(({ address }) => parseEndpoint(address) !== undefined),
    ) && json.bans.every(({ subject }) => isPeerName(subject) || isIp(subject));
  return isWhole ? { peers: json.peers, bans: json.bans } : "it is damaged";
}

/**
 * What was kept before the restart. Never fails: a file that is damaged, another chain's or of another form is told of and
 * put aside, as NAME.unusable, in place of an earlier one.
 */
export async function readPeers(
  { path, chain }: { readonly path: string; readonly chain: string },
  logger: Logger,
): Promise<KeptPeers> {
  const nothing = { peers: [], bans: [] };
  let problem: string;
  try {
    const kept = decodePeers(chain, await readBounded(path, MAX_FILE_BYTES));
    if (typeof kept !== "string") return kept;
    problem = kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return nothing;
    problem = fileProblem(error);
  }
  const aside = `${path}.unusable`;
  const isAside = await rename(path, aside).then(
    () => true,
    () => false,
  );
  const message = "known peers and bans cannot be read; the node starts without them";
  logger.warn({ path, problem, ...(isAside && { keptAs: aside }) }, message);
  return nothing;
}

/** Saves what is known of peers where it changed, so that a restarted node finds its network again and who was banned stays away. */
export interface PeersFile {
  /** Saves regularly from now on. */
  start(): void;
  /** Saves at once, after what is being saved: what changed must not be lost. Whether it is on disk. */
  save(): Promise<boolean>;
  /** Saves once more; not `save` where the start failed, which leaves no files. */
  stop(options: { readonly save: boolean }): Promise<void>;
}

export function createPeersFile(
  {
    current,
    timers,
    logger,
  }: { readonly current: () => KeptPeers; readonly timers: Timers; readonly logger: Logger },
  { path, chain }: { readonly path: string; readonly chain: string },
): PeersFile {
  const atStart = current();
  let saved = encodePeers(chain, atStart);
  let hasKept = atStart.peers.length > 0;
  let timer: Timer | undefined;
  let saving: Promise<boolean> = Promise.resolve(true);

  async function write(): Promise<boolean> {
    const kept = current();
    const text = encodePeers(chain, kept);
    if (text === saved) return true;
    try {
      await replaceWhole(path, text);
      saved = text;
      hasKept = kept.peers.length > 0;
      return true;
    } catch (error) {
      logger.warn({ path, problem: fileProblem(error) }, "known peers and bans could not be saved");
      return false;
    }
  }

  /** One after the other; what changes while one is written comes with the next. */
  function save(): Promise<boolean> {
    saving = saving.then(write);
    return saving;
  }

  function saveLater(): void {
    timer = timers.set(hasKept ? SAVE_EVERY_MS : FIRST_SAVE_EVERY_MS, () => {
      void save();
      saveLater();
    });
  }

  return {
    start: saveLater,
    save,
    async stop({ save: isWanted }) {
      if (timer !== undefined) timers.clear(timer);
      await (isWanted ? save() : saving);
    },
  };
}
