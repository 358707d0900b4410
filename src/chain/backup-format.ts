import { equalBytes, sha256 } from "../primitives/index.ts";

/**
 * A backup as a stream of bytes; docs/protocol.md, "Backups", says the same in words. A tag of 16 bytes, then chunks, each
 * with a digest that covers the one before it: what is cut off, changed or out of order shows at the chunk where it is.
 */
const TAG = new TextEncoder().encode("cumulo/backup/1\n");
/** What all versions of the format begin with. */
const FAMILY = TAG.subarray(0, 14);
const KINDS = ["header", "rows", "file", "end"] as const;
const DIGEST_BYTES = 32;
/** Rows are gathered up to so many bytes; a chunk of one large row may be larger. */
const ROWS_BYTES = 1024 * 1024;
/** Above the largest row there can be: undo data of a full block, and a reorg record, take some 10 MB. */
const MAX_CHUNK_BYTES = 32 * 1024 * 1024;
const ROW_HEAD_BYTES = 6;
/** Rows handed on at a time: a chunk of rows with nothing in them has five million, and as objects they take gigabytes. */
const MAX_ROWS_AT_ONCE = 16_384;
const NETWORK_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

export type BackupErrorCode = "BACKUP_INVALID" | "BACKUP_NEWER" | "BACKUP_DAMAGED";

/** A file that cannot be used as a backup; the message says why and what to do. */
export class BackupError extends Error {
  override readonly name = "BackupError";
  readonly code: BackupErrorCode;
  constructor(code: BackupErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What a backup is of. */
export interface BackupHeader {
  /** Chain id and name of the network. */
  readonly chain: string;
  readonly network: string;
  readonly schema: number;
  readonly head: { readonly id: string; readonly height: number };
  /** Lowest height from which on blocks are whole; 0 unless some were pruned. Not in backups of schema 2 and below. */
  readonly firstHeight: number;
  /** Unix ms. */
  readonly createdMs: number;
}

export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What a backup consists of, in this order: one header, then rows and files. */
export type BackupPart =
  | { readonly kind: "header"; readonly header: BackupHeader }
  | { readonly kind: "rows"; readonly rows: readonly Row[] }
  | { readonly kind: "file"; readonly name: string; readonly content: Uint8Array };

/** What the last chunk says there is, so that a backup without it is known to be cut off. */
export interface BackupTotals {
  readonly rows: number;
  readonly files: number;
}

const text = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value);

function encodeRows(rows: readonly Row[]): Uint8Array {
  const length = rows.reduce((sum, { key, value }) => sum + ROW_HEAD_BYTES + key.length + value.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { key, value } of rows) {
    view.setUint16(at, key.length, true);
    view.setUint32(at + 2, value.length, true);
    bytes.set(key, at + ROW_HEAD_BYTES);
    bytes.set(value, at + ROW_HEAD_BYTES + key.length);
    at += ROW_HEAD_BYTES + key.length + value.length;
  }
  return bytes;
}

function* decodeRows(bytes: Uint8Array): Generator<BackupPart> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let rows: Row[] = [];
  for (let at = 0; at < bytes.length; ) {
    const keyEnd = at + ROW_HEAD_BYTES + view.getUint16(at, true);
    const end = keyEnd + view.getUint32(at + 2, true);
    if (end > bytes.length) throw new RangeError("a row is cut off");
    // A table is an ASCII character: nobody would meet another row, to judge it or to leave it out.
    if (keyEnd === at + ROW_HEAD_BYTES || (bytes[at + ROW_HEAD_BYTES] ?? 0) >= 0x80)
      throw new RangeError("a row is of no table");
    rows.push({ key: bytes.subarray(at + ROW_HEAD_BYTES, keyEnd), value: bytes.subarray(keyEnd, end) });
    at = end;
    if (rows.length < MAX_ROWS_AT_ONCE) continue;
    yield { kind: "rows", rows };
    rows = [];
  }
  if (rows.length > 0) yield { kind: "rows", rows };
}

function encodeFile(name: string, content: Uint8Array): Uint8Array {
  const nameBytes = utf8(name);
  const bytes = new Uint8Array(2 + nameBytes.length + content.length);
  new DataView(bytes.buffer).setUint16(0, nameBytes.length, true);
  bytes.set(nameBytes, 2);
  bytes.set(content, 2 + nameBytes.length);
  return bytes;
}

/** A chunk's first 5 bytes and payload, with the digest before it in front: what its own digest is of. */
function sealed(before: Uint8Array, kind: (typeof KINDS)[number], payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(DIGEST_BYTES + 5 + payload.length);
  bytes.set(before);
  const view = new DataView(bytes.buffer);
  view.setUint8(DIGEST_BYTES, KINDS.indexOf(kind));
  view.setUint32(DIGEST_BYTES + 1, payload.length, true);
  bytes.set(payload, DIGEST_BYTES + 5);
  return bytes;
}

/** Gathers single rows into parts of about a MiB. */
export async function* gatherRows(
  rows: AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>,
): AsyncGenerator<BackupPart> {
  let gathered: Row[] = [];
  let bytes = 0;
  for await (const [key, value] of rows) {
    gathered.push({ key, value });
    bytes += key.length + value.length;
    if (bytes < ROWS_BYTES) continue;
    yield { kind: "rows", rows: gathered };
    gathered = [];
    bytes = 0;
  }
  if (gathered.length > 0) yield { kind: "rows", rows: gathered };
}

/** The bytes of a backup. */
export async function* encodeBackup(parts: AsyncIterable<BackupPart>): AsyncGenerator<Uint8Array> {
  let digest = sha256(TAG);
  function chunk(kind: (typeof KINDS)[number], payload: Uint8Array): Uint8Array {
    const bytes = sealed(digest, kind, payload);
    digest = sha256(bytes);
    return new Uint8Array(Buffer.concat([bytes.subarray(DIGEST_BYTES), digest]));
  }
  const totals = { rows: 0, files: 0 };
  yield TAG;
  for await (const part of parts) {
    if (part.kind === "header") yield chunk("header", utf8(JSON.stringify(part.header)));
    else if (part.kind === "rows") {
      totals.rows += part.rows.length;
      yield chunk("rows", encodeRows(part.rows));
    } else {
      totals.files += 1;
      yield chunk("file", encodeFile(part.name, part.content));
    }
  }
  yield chunk("end", utf8(JSON.stringify(totals)));
}

/** Bytes of a stream, so many at a time. */
function createByteReader(source: AsyncIterable<Uint8Array>) {
  const iterator = source[Symbol.asyncIterator]();
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  return {
    /** Fewer only where the stream ends before. */
    async take(count: number): Promise<Uint8Array> {
      while (heldBytes < count) {
        const { done, value } = await iterator.next();
        if (done === true) break;
        held.push(value);
        heldBytes += value.length;
      }
      const all = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held);
      const taken = new Uint8Array(all.subarray(0, count));
      held = all.length > count ? [all.subarray(count)] : [];
      heldBytes = Math.max(0, all.length - count);
      return taken;
    },
    async close(): Promise<void> {
      await iterator.return?.();
    },
  };
}

const damaged = (what: string): BackupError =>
  new BackupError(
    "BACKUP_DAMAGED",
    `the backup is damaged: ${what}; use another copy of it, or make a new one`,
  );

function headerOf(payload: Uint8Array): BackupHeader {
  const said = JSON.parse(text(payload)) as Partial<BackupHeader>;
  const { chain, network, schema, head, firstHeight = 0, createdMs } = said;
  if (!/^[0-9a-f]{64}$/.test(String(chain)) || !/^[0-9a-f]{64}$/.test(String(head?.id)))
    throw new RangeError("an id is none");
  // It is shown to people.
  if (!NETWORK_NAME.test(String(network))) throw new RangeError("the network's name is none");
  for (const number of [schema, head?.height, firstHeight, createdMs])
    if (!Number.isSafeInteger(number)) throw new RangeError("a number is none");
  return { chain, network, schema, head, firstHeight, createdMs } as BackupHeader;
}

function* partsOf(kind: Exclude<(typeof KINDS)[number], "end">, payload: Uint8Array): Generator<BackupPart> {
  if (kind === "header") yield { kind, header: headerOf(payload) };
  else if (kind === "rows") yield* decodeRows(payload);
  else {
    const nameEnd = 2 + new DataView(payload.buffer, payload.byteOffset, payload.length).getUint16(0, true);
    yield { kind, name: text(payload.subarray(2, nameEnd)), content: payload.subarray(nameEnd) };
  }
}

/** Of a chunk whose digest is right; what cannot be read all the same is told with its number. */
function readable<T>(number: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw damaged(`chunk ${number} cannot be read, ${(error as Error).message}`);
  }
}

/**
 * The parts of a backup, each checked before it is given; fails with a `BackupError` where it is none, or is damaged. Only
 * once it has ended by itself is the whole known to be there. Memory stays at a chunk or two.
 */
export async function* decodeBackup(source: AsyncIterable<Uint8Array>): AsyncGenerator<BackupPart> {
  const reader = createByteReader(source);
  try {
    const tag = await reader.take(TAG.length);
    if (!equalBytes(tag.subarray(0, FAMILY.length), FAMILY))
      throw new BackupError("BACKUP_INVALID", 'this is no backup; name a file that "cumulo backup" wrote');
    if (!equalBytes(tag, TAG))
      throw new BackupError(
        "BACKUP_NEWER",
        "the backup is of a format that this version does not know; use a newer cumulo",
      );
    let digest = sha256(TAG);
    const found = { rows: 0, files: 0 };
    for (let number = 0; ; number++) {
      const head = await reader.take(5);
      if (head.length < 5) throw damaged("its end is missing");
      const view = new DataView(head.buffer, head.byteOffset);
      const kind = KINDS[view.getUint8(0)];
      const length = view.getUint32(1, true);
      if (kind === undefined || length > MAX_CHUNK_BYTES || (number === 0) !== (kind === "header"))
        throw damaged(`chunk ${number} is none`);
      const rest = await reader.take(length + DIGEST_BYTES);
      if (rest.length < length + DIGEST_BYTES) throw damaged("its end is missing");
      const payload = rest.subarray(0, length);
      digest = sha256(sealed(digest, kind, payload));
      if (!equalBytes(digest, rest.subarray(length))) throw damaged(`chunk ${number} has another digest`);
      if (kind === "end") {
        const totals = readable(number, () => JSON.parse(text(payload)) as Partial<BackupTotals> | null);
        if (totals?.rows !== found.rows || totals.files !== found.files)
          throw damaged("rows or files are missing");
        if ((await reader.take(1)).length > 0) throw damaged("something follows its end");
        return;
      }
      const parts = partsOf(kind, payload);
      for (;;) {
        const { value: part } = readable(number, () => parts.next());
        if (part === undefined) break;
        if (part.kind === "rows") found.rows += part.rows.length;
        if (part.kind === "file") found.files += 1;
        yield part;
      }
    }
  } finally {
    await reader.close();
  }
}
