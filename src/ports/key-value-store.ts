/** One change in a batch. `value: undefined` deletes the key. */
export interface Write {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** Keys from `gte` (inclusive) to `lt` (exclusive), in bytewise order. */
export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  /** From the last key to the first. */
  readonly reverse?: boolean;
  /** At most so many entries. */
  readonly limit?: number;
}

export type StoreErrorCode = "STORE_CLOSED" | "STORE_LOCKED" | "STORE_CORRUPT" | "STORE_FULL" | "STORE_IO";

/** The store could not do what was asked. Never says anything about the validity of the data written. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * An ordered map of bytes to bytes, with atomic batches. Values and keys handed in belong to the store until the call
 * settles; values handed out belong to the caller. Every failure is a `StoreError`.
 */
export interface KeyValueStore {
  /**
   * How many bytes of the newest synced writes an unclean stop can damage without the store noticing by itself
   * (LevelDB: its write buffer). Recovery checks several times as much.
   */
  readonly writeBufferBytes: number;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** One answer per key, in the order asked. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /**
   * Applies all writes or none, in order. With `sync` the promise settles only once the data is on the disk; without,
   * a power cut may lose it (a killed process does not).
   */
  write(writes: readonly Write[], options: { readonly sync: boolean }): Promise<void>;
  /**
   * Moves what was written so far to where an unclean stop cannot damage it any more, and gives back the room of what was
   * deleted in the ranges. Others may read and write meanwhile; large ranges take their time.
   */
  compact(ranges: readonly KeyRange[]): Promise<void>;
  /** Reads a consistent snapshot of the range in pages; the store may be written meanwhile. */
  scan(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
  close(): Promise<void>;
}
