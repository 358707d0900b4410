import { type ForkTree, nextDifficulty, type TreeBlock, targetOf } from "../consensus/index.ts";
import { createTransition, type Genesis, touchedKeys } from "../ledger/index.ts";
import {
  type BlockBody,
  encodeBody,
  type HeaderCore,
  hexToBytes,
  MAX_BLOCK_TRANSACTIONS,
  rulesVersionAt,
  type SealedTransaction,
  transactionsRoot,
  ZERO_32,
} from "../primitives/index.ts";
import type { LedgerState } from "./ledger-state.ts";

/** Serialized size of an empty body: two offsets. */
const EMPTY_BODY_BYTES = 8;
/** Each transaction costs its own bytes and an offset. */
const OFFSET_BYTES = 4;

export interface TemplateRequest {
  /** Public key that receives reward and fees. */
  readonly proposer: Uint8Array;
  /** In the order to be tried; those that do not fit or cannot be executed are left out. */
  readonly candidates: readonly SealedTransaction[];
}

/** A block without its nonce. */
export interface Template {
  readonly core: HeaderCore;
  readonly body: BlockBody;
  /** The id must be below this, big-endian. */
  readonly target: Uint8Array;
}

interface TemplateDeps {
  readonly genesis: Genesis;
  readonly tree: ForkTree;
  readonly state: LedgerState;
  readonly head: TreeBlock;
  readonly nowMs: number;
}

export async function buildTemplate(deps: TemplateDeps, request: TemplateRequest): Promise<Template> {
  const { genesis, tree, state, head, nowMs } = deps;
  const { spec, chainId } = genesis;
  const height = head.height + 1;
  const candidates = request.candidates.slice(0, MAX_BLOCK_TRANSACTIONS);
  await state.prefetch(touchedKeys(candidates, request.proposer));
  const transition = createTransition(spec, state, state.totals, height);
  const chosen: SealedTransaction[] = [];
  let sizeBytes = EMPTY_BODY_BYTES;
  for (const candidate of candidates) {
    const grownBytes = sizeBytes + OFFSET_BYTES + candidate.bytes.length;
    if (grownBytes > spec.maxBlockBytes || !transition.apply(candidate).ok) continue;
    chosen.push(candidate);
    sizeBytes = grownBytes;
  }
  const change = transition.finish(request.proposer);
  const difficulty = nextDifficulty(spec, head, head.height === 0 ? undefined : tree.get(head.parent));
  const core: HeaderCore = {
    rulesVersion: rulesVersionAt(spec, height),
    chain: chainId,
    height,
    parent: hexToBytes(head.id),
    timestampMs: Math.max(nowMs, head.timestampMs + 1),
    transactionsRoot: transactionsRoot(chosen),
    stateRoot: state.tree.prepare(change).root,
    proposer: request.proposer,
    difficulty,
    engineRoot: ZERO_32,
    extra: ZERO_32,
  };
  return { core, body: encodeBody(chosen, new Uint8Array()), target: targetOf(difficulty) };
}
