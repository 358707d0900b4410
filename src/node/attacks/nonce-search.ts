import { targetOf } from "../../consensus/index.ts";
import { type HeaderCore, headerCoreRoot, type SealedHeader, sealHeader } from "../../primitives/index.ts";
import type { PresenceDeps } from "../presence.ts";

/** Tries per call: some 10 ms of a thread. */
const TRIES = 2 ** 18;

/** Finds the proof of work for a header; undefined where `maxTries` do not suffice, or nobody wants it any more. */
export async function sealWithWork(
  { searchers }: Pick<PresenceDeps, "searchers">,
  core: HeaderCore,
  maxTries: number,
  isWanted: () => boolean,
): Promise<SealedHeader | undefined> {
  const search = { coreRoot: headerCoreRoot(core), target: targetOf(core.difficulty) };
  for (let startNonce = 0; startNonce < maxTries && isWanted(); startNonce += TRIES) {
    const { nonce } = await searchers.run("searchNonce", { ...search, startNonce, count: TRIES });
    if (nonce !== undefined) return sealHeader({ core, nonce });
  }
  return undefined;
}
