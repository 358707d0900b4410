import { type BlockId, bytesToHex, hexToBytes } from "../primitives/index.ts";

const ID_BYTES = 32;
const FIRST_IDS = 2_048;

/** Block ids in the order they were added, 32 bytes each: as strings they would take three times as much. */
export interface IdList {
  readonly length: number;
  /** `undefined` outside of the list. */
  at(index: number): BlockId | undefined;
  push(id: BlockId): void;
  copy(): IdList;
}

export function createIdList(): IdList {
  return listOf(new Uint8Array(FIRST_IDS * ID_BYTES), 0);
}

function listOf(bytes: Uint8Array, length: number): IdList {
  return {
    get length() {
      return length;
    },
    at(index) {
      if (index < 0 || index >= length) return undefined;
      return bytesToHex(bytes.subarray(index * ID_BYTES, (index + 1) * ID_BYTES));
    },
    push(id) {
      if ((length + 1) * ID_BYTES > bytes.length) {
        const grown = new Uint8Array(2 * bytes.length);
        grown.set(bytes);
        bytes = grown;
      }
      bytes.set(hexToBytes(id), length * ID_BYTES);
      length += 1;
    },
    copy: () => listOf(bytes.slice(), length),
  };
}
