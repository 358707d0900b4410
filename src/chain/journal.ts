import type { KeyValueStore, Write } from "../ports/index.ts";
import { type BlockId, decodeOr, equalBytes, hexToBytes, sha256, ZERO_32 } from "../primitives/index.ts";
import {
  type BatchLink,
  decodeBatchLink,
  encodeBatchLink,
  keys,
  numberFromKey,
  tableRange,
} from "./schema.ts";

/**
 * Every batch carries a sequence number and a link to the batch before. LevelDB may reopen with a hole in its log and
 * say nothing: batches in the hole are gone, later ones are there. The missing number shows it.
 */
export interface Journal {
  /** Writes one atomic, synced batch that leaves `head` as the head; settles with the bytes of what was given. */
  commit(writes: Write[], head: BlockId): Promise<number>;
}

/** What the links on disk say. */
export interface JournalCheck {
  /** Number and link of the last batch before which, as far as the window reaches, none is missing. */
  readonly last: { readonly sequence: number; readonly link: BatchLink } | undefined;
  /** Batches that are there but follow a gap; their numbers. */
  readonly stranded: readonly number[];
  /** All links up to `last`, oldest first, also those from before what was checked. */
  readonly links: readonly KeptLink[];
}

interface KeptLink {
  readonly sequence: number;
  /** Size of the batch, counted as one write buffer at most. */
  readonly countedBytes: number;
}

// LevelDB replays two logs at most: the one it writes and the one it is moving into a table. Each takes batches until
// they fill a write buffer, the last of them whatever its size. With a batch counted as one buffer at most, four buffers
// reach back over both; links are kept for longer than is checked.
const CHECKED_BUFFERS = 4;
const KEPT_BUFFERS = 6;
const FIRST_SEQUENCE = 1;
const NO_LINK: BatchLink = { link: ZERO_32, head: ZERO_32, sizeBytes: 0 };

function nextLink(before: Uint8Array, sequence: number, head: Uint8Array): Uint8Array {
  const input = new Uint8Array(72);
  input.set(before, 0);
  input.set(keys.batch(sequence).subarray(1), 32);
  input.set(head, 40);
  return sha256(input);
}

/** Reads the links back over everything that LevelDB may have lost and finds the first gap, if there is one. */
export async function checkJournal(store: KeyValueStore): Promise<JournalCheck> {
  const older: KeptLink[] = [];
  const found: { sequence: number; link: BatchLink }[] = [];
  let checkedBytes = 0;
  let lookedBackEnough = false;
  for await (const [key, value] of store.scan({ ...tableRange("batches"), reverse: true })) {
    // A row that cannot be read is a gap like any other.
    const link = decodeOr(() => decodeBatchLink(value)) ?? NO_LINK;
    const sequence = numberFromKey(key);
    const countedBytes = Math.min(link.sizeBytes, store.writeBufferBytes);
    if (lookedBackEnough) {
      older.push({ sequence, countedBytes });
      continue;
    }
    found.push({ sequence, link });
    checkedBytes += countedBytes;
    lookedBackEnough = checkedBytes > CHECKED_BUFFERS * store.writeBufferBytes;
  }
  found.reverse();
  // Old links are dropped only far behind the window, so a short list must begin with the very first batch.
  const startsWhole = lookedBackEnough || found[0]?.sequence === FIRST_SEQUENCE;
  let whole = startsWhole && found[0]?.link !== NO_LINK ? found.length : 0;
  for (let i = 1; i < whole; i++) {
    const [before, here] = [found[i - 1], found[i]];
    if (before === undefined || here === undefined) continue;
    const expected = nextLink(before.link.link, before.sequence + 1, here.link.head);
    const follows = here.link !== NO_LINK && equalBytes(here.link.link, expected);
    if (here.sequence !== before.sequence + 1 || !follows) {
      whole = i;
      break;
    }
  }
  return {
    last: found[whole - 1],
    stranded: found.slice(whole).map(({ sequence }) => sequence),
    links: [
      ...older.reverse(),
      ...found.slice(0, whole).map(({ sequence, link }) => ({
        sequence,
        countedBytes: Math.min(link.sizeBytes, store.writeBufferBytes),
      })),
    ],
  };
}

/** Goes on after the last whole batch that `check` found. */
export function createJournal(store: KeyValueStore, check: JournalCheck): Journal {
  let sequence = check.last?.sequence ?? FIRST_SEQUENCE - 1;
  let link = check.last?.link.link ?? ZERO_32;
  const kept = [...check.links];
  let keptBytes = kept.reduce((sum, { countedBytes }) => sum + countedBytes, 0);

  return {
    async commit(writes, head) {
      const headBytes = hexToBytes(head);
      const nextSequence = sequence + 1;
      const next = nextLink(link, nextSequence, headBytes);
      let sizeBytes = 0;
      for (const { key, value } of writes) sizeBytes += key.length + (value?.length ?? 0);
      const batch = [...writes];
      let dropped = 0;
      let droppedBytes = 0;
      for (const old of kept) {
        if (keptBytes - droppedBytes - old.countedBytes <= KEPT_BUFFERS * store.writeBufferBytes) break;
        batch.push({ key: keys.batch(old.sequence), value: undefined });
        droppedBytes += old.countedBytes;
        dropped += 1;
      }
      batch.push({
        key: keys.batch(nextSequence),
        value: encodeBatchLink({ link: next, head: headBytes, sizeBytes }),
      });
      batch.push({ key: keys.meta("head"), value: headBytes });
      await store.write(batch, { sync: true });
      kept.splice(0, dropped);
      const countedBytes = Math.min(sizeBytes, store.writeBufferBytes);
      kept.push({ sequence: nextSequence, countedBytes });
      keptBytes += countedBytes - droppedBytes;
      sequence = nextSequence;
      link = next;
      return sizeBytes;
    },
  };
}
