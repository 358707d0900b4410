import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";

/**
 * The formats of docs/protocol.md written by hand, with SHA-256 of noble, without any of our code and without an SSZ library:
 * what a second implementer would write from the document. Tests hold the real code to it.
 */

/** Not Node's own, which the code under test uses. */
export const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const hash = nobleSha256.create();
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
export const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** An integer as `length` little-endian bytes. */
export function littleEndian(value: bigint | number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = BigInt(value);
  for (let i = 0; i < length; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  if (rest !== 0n) throw new RangeError(`${value} does not fit ${length} bytes`);
  return bytes;
}

function readLittleEndian(bytes: Uint8Array, at: number, length: number): bigint {
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
  return value;
}

/** SSZ merkleization: chunks padded with zero subtrees to 2^depth leaves. */
export function merkleize(chunks: readonly Uint8Array[], depth: number): Uint8Array {
  let level = [...chunks];
  let zero: Uint8Array = new Uint8Array(32);
  for (let height = 0; height < depth; height++) {
    const next: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      next.push(sha256(level[i] ?? zero, level[i + 1] ?? zero));
    }
    level = next;
    zero = sha256(zero, zero);
  }
  if (level.length > 1) throw new RangeError("more chunks than leaves");
  return level[0] ?? zero;
}

const chunk = (bytes: Uint8Array): Uint8Array => join(bytes, new Uint8Array(32 - bytes.length));
/** The SSZ root of an unsigned integer. */
export const uintRoot = (value: bigint | number): Uint8Array => chunk(littleEndian(value, 32));
const mixInLength = (root: Uint8Array, length: number): Uint8Array => sha256(root, uintRoot(length));

/** The root of `List[Bytes32 or container, 2^depth]` over its elements' roots. */
export const listRoot = (roots: readonly Uint8Array[], depth: number): Uint8Array =>
  mixInLength(merkleize(roots, depth), roots.length);

/** The root of a byte list of at most 32 bytes. */
export const shortByteListRoot = (bytes: Uint8Array): Uint8Array =>
  mixInLength(bytes.length === 0 ? new Uint8Array(32) : chunk(bytes), bytes.length);

export interface PlainHeader {
  readonly core: {
    readonly rulesVersion: number;
    readonly chain: Uint8Array;
    readonly height: number;
    readonly parent: Uint8Array;
    readonly timestampMs: number;
    readonly transactionsRoot: Uint8Array;
    readonly stateRoot: Uint8Array;
    readonly proposer: Uint8Array;
    readonly difficulty: bigint;
    readonly engineRoot: Uint8Array;
    readonly extra: Uint8Array;
  };
  readonly nonce: number;
}

export function headerBytes({ core, nonce }: PlainHeader): Uint8Array {
  return join(
    littleEndian(core.rulesVersion, 4),
    core.chain,
    littleEndian(core.height, 8),
    core.parent,
    littleEndian(core.timestampMs, 8),
    core.transactionsRoot,
    core.stateRoot,
    core.proposer,
    littleEndian(core.difficulty, 16),
    core.engineRoot,
    core.extra,
    littleEndian(nonce, 8),
  );
}

export function headerId({ core, nonce }: PlainHeader): Uint8Array {
  const fields = [
    uintRoot(core.rulesVersion),
    core.chain,
    uintRoot(core.height),
    core.parent,
    uintRoot(core.timestampMs),
    core.transactionsRoot,
    core.stateRoot,
    core.proposer,
    uintRoot(core.difficulty),
    core.engineRoot,
    core.extra,
  ];
  return sha256(merkleize(fields, 4), uintRoot(nonce));
}

/** Whether bytes are a header: every value of the fixed layout, but for the bound on uint64. */
export function isHeader(bytes: Uint8Array): boolean {
  if (bytes.length !== 268) return false;
  return [36, 76, 260].every((at) => readLittleEndian(bytes, at, 8) < 2n ** 53n);
}

export interface PlainBody {
  readonly chain: Uint8Array;
  readonly sender: Uint8Array;
  readonly nonce: number;
  readonly fee: number;
  readonly expiry: number;
  readonly to: Uint8Array;
  readonly amount: number;
  readonly memo: Uint8Array;
}

export function transactionBodyBytes(body: PlainBody): Uint8Array {
  return join(
    body.chain,
    body.sender,
    littleEndian(body.nonce, 8),
    littleEndian(body.fee, 8),
    littleEndian(body.expiry, 8),
    littleEndian(92, 4),
    Uint8Array.of(0),
    body.to,
    littleEndian(body.amount, 8),
    littleEndian(44, 4),
    body.memo,
  );
}

export function transactionBytes(body: PlainBody, signature: Uint8Array): Uint8Array {
  return join(littleEndian(68, 4), signature, transactionBodyBytes(body));
}

/** Whether the bytes are the one encoding of a transaction. */
export function isTransaction(bytes: Uint8Array): boolean {
  if (bytes.length < 205 || bytes.length > 205 + 64) return false;
  if (readLittleEndian(bytes, 0, 4) !== 68n) return false;
  const bodyAt = 68;
  for (const at of [64, 72, 80]) if (readLittleEndian(bytes, bodyAt + at, 8) >= 2n ** 53n) return false;
  if (readLittleEndian(bytes, bodyAt + 88, 4) !== 92n) return false;
  const actionAt = bodyAt + 92;
  if (bytes[actionAt] !== 0) return false;
  if (readLittleEndian(bytes, actionAt + 33, 8) >= 2n ** 53n) return false;
  return readLittleEndian(bytes, actionAt + 41, 4) === 44n;
}

export function blockBodyBytes(transactions: readonly Uint8Array[], engineData: Uint8Array): Uint8Array {
  let at = transactions.length * 4;
  const offsets = transactions.map((transaction) => {
    const offset = littleEndian(at, 4);
    at += transaction.length;
    return offset;
  });
  const list = new Uint8Array(Buffer.concat([...offsets, ...transactions]));
  return join(littleEndian(8, 4), littleEndian(8 + at, 4), list, engineData);
}

/** Whether the bytes are the one encoding of a body whose transactions are too. */
export function isBlockBody(bytes: Uint8Array): boolean {
  if (bytes.length < 8 || readLittleEndian(bytes, 0, 4) !== 8n) return false;
  const end = Number(readLittleEndian(bytes, 4, 4));
  if (end < 8 || end > bytes.length || bytes.length - end > 65_536) return false;
  const list = bytes.subarray(8, end);
  if (list.length === 0) return true;
  const first = Number(readLittleEndian(list, 0, 4));
  if (list.length < 4 || first === 0 || first % 4 !== 0 || first > list.length || first / 4 > 65_536)
    return false;
  const offsets = Array.from({ length: first / 4 }, (_, i) => Number(readLittleEndian(list, i * 4, 4)));
  return offsets.every((offset, i) => {
    const next = offsets[i + 1] ?? list.length;
    return offset <= next && next <= list.length && isTransaction(list.subarray(offset, next));
  });
}
