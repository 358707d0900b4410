import { type Block, type ChainSpec, equalBytes, transactionsRoot } from "../../primitives/index.ts";
import { PASSED, refuse, refuseMutated, type Verdict } from "./verdict.ts";

/**
 * Stage *sanity* for a body: does it belong to the header, and is it well formed by itself? The root comes first: only
 * a body that matches can say anything about the block id. Transactions' own sanity is `ledger/`'s.
 */
export function checkBodySanity(spec: ChainSpec, block: Block): Verdict {
  if (!equalBytes(transactionsRoot(block.transactions), block.header.header.core.transactionsRoot)) {
    return refuseMutated("BLK-02", "the body's transactions root is not the header's");
  }
  // Under `pow` nothing in the header commits to engine data, so data there was added on the way: blame the sender.
  if (spec.engine === "pow" && block.engineData.length > 0) {
    return refuseMutated("BLK-05", `${block.engineData.length} bytes of engine data`);
  }
  if (block.bodyBytes.length > spec.maxBlockBytes) {
    return refuse("BLK-03", `body of ${block.bodyBytes.length} bytes; ${spec.maxBlockBytes} are allowed`);
  }
  const seen = new Set<string>();
  for (const { txid } of block.transactions) {
    if (seen.has(txid)) return refuse("BLK-04", `transaction ${txid} stands twice`);
    seen.add(txid);
  }
  return PASSED;
}
