import {
  checkBodySanity,
  checkHeaderContext,
  checkHeaderSanity,
  type ForkTree,
  PASSED,
  type Refusal,
  refuse,
  refuseForNow,
  type Verdict,
} from "../consensus/index.ts";
import { checkTransactionSanity, type Genesis } from "../ledger/index.ts";
import type { Clock } from "../ports/index.ts";
import type { Block, BlockId, SealedHeader } from "../primitives/index.ts";
import type { SignatureVerifier } from "./signatures.ts";

/** Blocks refused for good before they reached the tree, so that they are not fetched and checked again. */
const MAX_REMEMBERED_INVALID = 10_000;

export interface BlockChecksDeps {
  readonly genesis: Genesis;
  readonly tree: ForkTree;
  readonly clock: Clock;
  readonly signatures: SignatureVerifier;
}

/** The stages before *connect*, in the order in which they cost the sender more than us. */
export interface BlockChecks {
  /** Stage *sanity* of header, body and transactions, without signatures. Synchronous. */
  sanity(block: Block): Verdict;
  /** Signatures; settles with the verdict, never rejects for what a peer sent. `remember` as in `SignatureVerifier`. */
  signatures(block: Block, options: { readonly remember: boolean }): Promise<Verdict>;
  /** Stage *context* of a header against the tree. */
  context(header: SealedHeader): Verdict;
  /** Remembers a block that was refused for good while its body belonged to it. */
  rememberInvalid(id: BlockId, refusal: Refusal): void;
  knownInvalid(id: BlockId): Refusal | undefined;
}

export function createBlockChecks({ genesis, tree, clock, signatures }: BlockChecksDeps): BlockChecks {
  const { spec, chainId } = genesis;
  const invalid = new Map<BlockId, Refusal>();

  return {
    sanity(block) {
      const header = checkHeaderSanity({ spec, chainId }, block.header);
      if (!header.ok) return header;
      const body = checkBodySanity(spec, block);
      if (!body.ok) return body;
      for (const transaction of block.transactions) {
        const verdict = checkTransactionSanity(spec, chainId, transaction);
        if (!verdict.ok) return verdict;
      }
      return PASSED;
    },
    async signatures(block, options) {
      const [bad] = await signatures.findInvalid(block.transactions, options);
      return bad === undefined ? PASSED : refuse("TX-03", `transaction ${bad.txid} has a bad signature`);
    },
    context(header) {
      const parent = tree.get(header.parent);
      if (parent === undefined) {
        if (invalid.has(header.parent)) return refuse("HDR-12", `parent ${header.parent} is invalid`);
        return refuseForNow("HDR-11", `parent ${header.parent} is not known`);
      }
      if (parent.status === "invalid") return refuse("HDR-12", `parent ${header.parent} is invalid`);
      if (parent.mark !== undefined)
        return refuseForNow("HDR-13", `this node's operator has invalidated block ${parent.mark}`);
      if (parent.height < tree.floor.height) {
        const detail = `its branch leaves ours at height ${parent.height}, and the blocks up to ${tree.floor.height} were pruned here`;
        return refuseForNow("HDR-14", detail);
      }
      const grandparent = parent.height === 0 ? undefined : tree.get(parent.parent);
      return checkHeaderContext(spec, header, parent, grandparent, clock.nowMs());
    },
    rememberInvalid(id, refusal) {
      if (invalid.size >= MAX_REMEMBERED_INVALID) {
        const [oldest] = invalid.keys();
        if (oldest !== undefined) invalid.delete(oldest);
      }
      invalid.set(id, refusal);
    },
    knownInvalid: (id) => invalid.get(id),
  };
}
