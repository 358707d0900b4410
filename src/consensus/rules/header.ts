import {
  type ChainSpec,
  equalBytes,
  genesisDifficulty,
  isZero,
  rulesVersionAt,
  type SealedHeader,
} from "../../primitives/index.ts";
import { type DifficultyAncestor, nextDifficulty } from "../pow/difficulty.ts";
import { meetsTarget } from "../pow/target.ts";
import { PASSED, refuse, refuseForNow, type Verdict } from "./verdict.ts";

/** What header checks need to know of the network. */
export interface HeaderRules {
  readonly spec: ChainSpec;
  /** Id of the genesis block. */
  readonly chainId: Uint8Array;
}

/** Stage *sanity*: what a header alone shows. Cheap, and dear to forge: done before anything is stored or relayed. */
export function checkHeaderSanity(rules: HeaderRules, sealed: SealedHeader): Verdict {
  const { core, nonce } = sealed.header;
  if (!equalBytes(core.chain, rules.chainId)) return refuse("HDR-04", "the header names another chain");
  if (core.height < 1) return refuse("HDR-07", "only genesis has height 0");
  const version = rulesVersionAt(rules.spec, core.height);
  if (core.rulesVersion !== version) {
    return refuse(
      "HDR-02",
      `rules version ${core.rulesVersion} at height ${core.height}, expected ${version}`,
    );
  }
  const minimum = genesisDifficulty(rules.spec);
  if (core.difficulty < minimum) return refuse("HDR-05", `difficulty ${core.difficulty} is below ${minimum}`);
  if (rules.spec.engine === "pow" && !isZero(core.engineRoot))
    return refuse("HDR-06", "engine root is not zero");
  if (!meetsTarget(sealed.idBytes, core.difficulty)) {
    return refuse("HDR-03", `id ${sealed.id} does not meet difficulty ${core.difficulty} (nonce ${nonce})`);
  }
  return PASSED;
}

/**
 * Stage *context*: what the ancestors demand. `grandparent` is `undefined` only where the parent is genesis. `nowMs` is
 * the local clock, Unix ms.
 */
export function checkHeaderContext(
  spec: ChainSpec,
  sealed: SealedHeader,
  parent: DifficultyAncestor,
  grandparent: DifficultyAncestor | undefined,
  nowMs: number,
): Verdict {
  const { core } = sealed.header;
  if (core.height !== parent.height + 1) {
    return refuse("HDR-07", `height ${core.height} on a parent of height ${parent.height}`);
  }
  if (core.timestampMs <= parent.timestampMs) {
    return refuse("HDR-08", `timestamp ${core.timestampMs} is not after the parent's ${parent.timestampMs}`);
  }
  const difficulty = nextDifficulty(spec, parent, grandparent);
  if (core.difficulty !== difficulty) {
    return refuse("HDR-10", `difficulty ${core.difficulty}, expected ${difficulty}`);
  }
  if (core.timestampMs > nowMs + spec.driftMs) {
    const aheadMs = core.timestampMs - nowMs;
    return refuseForNow(
      "HDR-09",
      `timestamp is ${aheadMs} ms ahead of this clock; ${spec.driftMs} ms are allowed`,
    );
  }
  return PASSED;
}
