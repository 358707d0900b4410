import { decodeUndo, type Undo } from "../ledger/index.ts";
import type { KeyValueStore } from "../ports/index.ts";
import {
  assembleBlock,
  type Block,
  type BlockId,
  decodeBody,
  decodeHeader,
  type SealedHeader,
  type TxId,
} from "../primitives/index.ts";
import { ChainError } from "./errors.ts";
import { decodePlace, decodeStoredBlock, keys, type StoredBlock, type TransactionPlace } from "./schema.ts";

/** Reads blocks back from the store. What is there was checked when it was written, so bad bytes mean a corrupt store. */
export interface BlockStore {
  /** Header, arrival and status; `undefined` where the block is not stored. */
  stored(id: BlockId): Promise<StoredBlock | undefined>;
  header(id: BlockId): Promise<SealedHeader | undefined>;
  /** Serialized headers in the order asked; stops at the first that is missing. */
  headerBytes(ids: readonly BlockId[]): Promise<Uint8Array[]>;
  /**
   * Whole blocks as they are stored, in the order asked: up to the first that is not there, and to the last whose body
   * still fits into `maxBodyBytes` with those before it.
   */
  serialized(
    ids: readonly BlockId[],
    maxBodyBytes: number,
  ): Promise<{ readonly headerBytes: Uint8Array; readonly bodyBytes: Uint8Array }[]>;
  bodyBytes(id: BlockId): Promise<Uint8Array | undefined>;
  /** Fails with CHAIN_PRUNED where only its header was kept. */
  block(id: BlockId): Promise<Block | undefined>;
  undo(id: BlockId): Promise<Undo>;
  /** Where a transaction stands in the best chain. */
  place(txid: TxId): Promise<TransactionPlace | undefined>;
}

function corrupt(what: string, id: string, cause?: unknown): ChainError {
  const message = `${what} of block ${id} is missing or damaged in the database`;
  return new ChainError("CHAIN_CORRUPT", message, { cause });
}

/** Decodes what we wrote ourselves. */
function ofOurs<T>(what: string, id: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw corrupt(what, id, error);
  }
}

/** The header in a row, which must be that of the block whose row it is. */
function headerOf(id: BlockId, row: StoredBlock): SealedHeader {
  const header = decodeHeader(row.header);
  if (header?.id !== id) throw corrupt("the header", id);
  return header;
}

/** `floorHeight`: of the block up to which bodies may have been pruned; 0 where none was. */
export function createBlockStore(store: KeyValueStore, floorHeight: () => number = () => 0): BlockStore {
  async function stored(id: BlockId): Promise<StoredBlock | undefined> {
    const row = await store.get(keys.block(id));
    return row === undefined ? undefined : ofOurs("the row", id, () => decodeStoredBlock(row));
  }

  return {
    stored,
    async header(id) {
      const row = await stored(id);
      return row === undefined ? undefined : headerOf(id, row);
    },
    async headerBytes(ids) {
      const headers: Uint8Array[] = [];
      for (const [i, row] of (await store.getMany(ids.map(keys.block))).entries()) {
        if (row === undefined) break;
        headers.push(ofOurs("the row", ids[i] ?? "", () => decodeStoredBlock(row)).header);
      }
      return headers;
    },
    async serialized(ids, maxBodyBytes) {
      // Sizes stand in the rows, so no body is read in vain. Two reads in all: each has its price, a peer in sync asks often.
      const headers: Uint8Array[] = [];
      let bytes = 0;
      for (const [i, row] of (await store.getMany(ids.map(keys.block))).entries()) {
        if (row === undefined) break;
        const { header, bodyBytes } = ofOurs("the row", ids[i] ?? "", () => decodeStoredBlock(row));
        bytes += bodyBytes;
        if (bytes > maxBodyBytes) break;
        headers.push(header);
      }
      const bodies = await store.getMany(ids.slice(0, headers.length).map(keys.body));
      const blocks: { readonly headerBytes: Uint8Array; readonly bodyBytes: Uint8Array }[] = [];
      for (const [i, bodyBytes] of bodies.entries()) {
        const headerBytes = headers[i];
        if (bodyBytes === undefined || headerBytes === undefined) break;
        blocks.push({ headerBytes, bodyBytes });
      }
      return blocks;
    },
    bodyBytes: (id) => store.get(keys.body(id)),
    async block(id) {
      const [row, bytes] = await store.getMany([keys.block(id), keys.body(id)]);
      if (row === undefined) return undefined;
      const header = headerOf(
        id,
        ofOurs("the row", id, () => decodeStoredBlock(row)),
      );
      if (bytes === undefined && header.header.core.height <= floorHeight())
        throw new ChainError("CHAIN_PRUNED", `block ${id} was pruned here; ask a node that keeps all blocks`);
      const body = bytes === undefined ? undefined : decodeBody(bytes);
      if (body === undefined) throw corrupt("the data", id);
      return assembleBlock(header, body);
    },
    async undo(id) {
      const bytes = await store.get(keys.undo(id));
      if (bytes === undefined) throw corrupt("the undo data", id);
      return ofOurs("the undo data", id, () => decodeUndo(bytes));
    },
    async place(txid) {
      const bytes = await store.get(keys.transaction(txid));
      return bytes === undefined ? undefined : decodePlace(bytes);
    },
  };
}
