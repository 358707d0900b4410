import { checkBodySanity, checkHeaderContext, checkHeaderSanity, type Verdict } from "../consensus/index.ts";
import { checkTransactionSanity, type Genesis } from "../ledger/index.ts";
import type { Block, SealedHeader } from "../primitives/index.ts";
import type { SignatureVerifier } from "./signatures.ts";

/** Every rule that a block can be held to without the state, for blocks that are stored already. */
export interface BlockJudge {
  /** The first rule that the header breaks, in words. `grandparent` is missing above genesis only. */
  header(
    header: SealedHeader,
    parent: SealedHeader,
    grandparent: SealedHeader | undefined,
  ): string | undefined;
  /** The same of a whole block, its signatures too where there is a verifier. */
  block(
    block: Block,
    parent: SealedHeader,
    grandparent: SealedHeader | undefined,
  ): Promise<string | undefined>;
}

export function createBlockJudge(
  { spec, chainId }: Genesis,
  signatures: SignatureVerifier | undefined,
  // A stored block was not too far ahead of the clock when it came.
  nowMs: number = Number.MAX_SAFE_INTEGER - spec.driftMs,
): BlockJudge {
  const placed = ({ id, header: { core } }: SealedHeader) => ({ id, ...core });

  const judgeHeader: BlockJudge["header"] = (header, parent, grandparent) =>
    firstProblem([
      checkHeaderSanity({ spec, chainId }, header),
      checkHeaderContext(spec, header, placed(parent), grandparent && placed(grandparent), nowMs),
    ]);

  return {
    header: judgeHeader,
    async block(block, parent, grandparent) {
      const problem =
        judgeHeader(block.header, parent, grandparent) ??
        firstProblem([
          checkBodySanity(spec, block),
          ...block.transactions.map((one) => checkTransactionSanity(spec, chainId, one)),
        ]);
      if (problem !== undefined) return problem;
      const [forged] = (await signatures?.findInvalid(block.transactions, { remember: false })) ?? [];
      return forged === undefined ? undefined : `TX-03, transaction ${forged.txid} has a bad signature`;
    },
  };
}

function firstProblem(verdicts: readonly Verdict[]): string | undefined {
  for (const verdict of verdicts) if (!verdict.ok) return `${verdict.code}, ${verdict.detail}`;
  return undefined;
}
