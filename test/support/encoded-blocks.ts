import type { EncodedBlock } from "../../src/network/index.ts";
import type { Block, BlockId } from "../../src/primitives/index.ts";

/** What a node that has these blocks answers to whoever asks for those ids: up to the first that it has not. */
export function encodedBlocks(blocks: readonly Block[], ids: readonly BlockId[]): EncodedBlock[] {
  const found: EncodedBlock[] = [];
  for (const id of ids) {
    const block = blocks.find(({ header }) => header.id === id);
    if (block === undefined) break;
    found.push({ headerBytes: block.header.bytes, bodyBytes: block.bodyBytes });
  }
  return found;
}
