import type { HeaderRules, Refusal, TreeBlock } from "../consensus/index.ts";
import type { BlockId, SealedHeader } from "../primitives/index.ts";
import { createHeaderChain, type HeaderChain } from "./header-chain.ts";
import type { PeerStatus, SyncChain } from "./types.ts";

/** What an answer of headers leads to. */
export type HeaderStep =
  | { readonly kind: "more"; readonly locator: readonly BlockId[] }
  /** Worth fetching the bodies of. */
  | { readonly kind: "found"; readonly chain: HeaderChain }
  /** The beginning of headers that are known to lead nowhere: the known block before it, and its first. */
  | { readonly kind: "dead-end"; readonly anchor: BlockId; readonly first: BlockId }
  /** Nothing to fetch, and no fault; where `askAgain`, since what the peer claimed is here already. */
  | { readonly kind: "nothing"; readonly askAgain: boolean }
  /** No usable answer, as may happen to an honest peer. */
  | { readonly kind: "failed" }
  | { readonly kind: "fault"; readonly reason: string };

/** The headers of one peer, from where we know its branch to where it ends. */
export interface HeaderFetch {
  readonly chain: HeaderChain | undefined;
  /** Takes an answer to a request for `max` headers. */
  take(headers: readonly SealedHeader[], max: number, nowMs: number): HeaderStep;
}

export interface HeaderFetchDeps {
  readonly rules: HeaderRules;
  readonly chain: SyncChain;
  /** Whose headers they are. */
  readonly peer: string;
  /** Whether a claim is better than what we have by now. */
  readonly isBetter: (claim: PeerStatus) => boolean;
  /** Whether headers that begin with this new one lead nowhere. */
  readonly isDeadEnd: (first: BlockId) => boolean;
  readonly maxHeaders: number;
  /** Headers that another fetch left without an end; its last id stands first in the locator. */
  readonly begun: HeaderChain | undefined;
}

/** How far the headers of one answer could be taken. */
type Taken = Refusal | HeaderStep | "end" | "page" | "ahead-of-clock" | "full" | "moved" | "set-aside";

const fault = (reason: string): HeaderStep => ({ kind: "fault", reason });
const NOTHING: HeaderStep = { kind: "nothing", askAgain: false };

export function createHeaderFetch(deps: HeaderFetchDeps, claim: PeerStatus): HeaderFetch {
  const { rules, chain, begun } = deps;
  let found: HeaderChain | undefined;
  /** The last block that the peer has shown and we have; before the first new header. */
  let known: TreeBlock | undefined;

  /** The block that the first header builds on; `undefined` where we do not know it. */
  function startAt(first: SealedHeader): HeaderChain | undefined {
    const anchor = chain.get(first.parent);
    if (anchor === undefined) return undefined;
    return createHeaderChain(rules, anchor, anchor.height === 0 ? undefined : chain.get(anchor.parent));
  }

  function takeAll(headers: readonly SealedHeader[], max: number, nowMs: number): Taken {
    const refused = (code: Refusal["code"], detail: string): Refusal => {
      return { ok: false, code, permanence: "permanent", detail };
    };
    // The peer may have left its branch between two answers, which is no lie.
    if (found !== undefined && headers[0] !== undefined && headers[0].parent !== found.last.id)
      return "moved";
    for (const header of headers) {
      if (chain.isKnownInvalid(header.id) || chain.get(header.id)?.status === "invalid")
        return refused("HDR-12", `header ${header.id} is invalid`);
      // Headers up to the fork point may be known already; the chain begins after them.
      if (found === undefined && chain.get(header.id) !== undefined) continue;
      if (found === undefined && chain.get(header.parent)?.mark !== undefined) return "set-aside";
      if (found === undefined && deps.isDeadEnd(header.id))
        return { kind: "dead-end", anchor: header.parent, first: header.id };
      found ??= startAt(header);
      if (found === undefined) return refused("HDR-11", "the headers start nowhere known");
      const verdict = found.append(header, nowMs, deps.peer);
      // Ahead of our clock: what comes before it counts, the rest will be asked for again in a while.
      if (!verdict.ok) return verdict.permanence === "transient" ? "ahead-of-clock" : verdict;
      if (found.ids.length >= deps.maxHeaders) return "full";
    }
    return headers.length < max ? "end" : "page";
  }

  /** Whether the first answer goes on from where the other fetch was left. */
  function continuesBegun([first]: readonly SealedHeader[]): boolean {
    return begun !== undefined && (first?.parent ?? claim.head) === begun.last.id;
  }

  /** Nothing new was in any answer. */
  function stepWithoutNew(last: TreeBlock | undefined, taken: Taken): HeaderStep {
    // A full answer that we have already: the branch goes on. Whoever shows the same again gets nowhere.
    if (taken === "page" && last !== undefined && last.height > (known?.height ?? 0)) {
      known = last;
      return { kind: "more", locator: [last.id] };
    }
    // It may have come to just where the other fetch was left, and not have said so yet.
    if (last === undefined && begun !== undefined) return { kind: "failed" };
    // It left that branch between two answers, or shows the same again.
    if (last !== undefined && known !== undefined && last.height <= known.height) return { kind: "failed" };
    // Known blocks may be a moment ahead of our published head, so what was shown is judged by its own work. A peer
    // that got away with showing less than it claims would keep us syncing, and not mining.
    const shown = (last ?? known)?.work ?? 0n;
    if (deps.isBetter(claim) && shown < claim.work) return fault("claims more work than it shows");
    return { kind: "nothing", askAgain: true };
  }

  return {
    get chain() {
      return found;
    },
    take(headers, max, nowMs) {
      if (found === undefined && known === undefined && continuesBegun(headers)) found = begun;
      const taken = takeAll(headers, max, nowMs);
      if (taken === "moved") return { kind: "failed" };
      // It builds on what our operator invalidated, which says nothing about the peer.
      if (taken === "set-aside") return NOTHING;
      if (typeof taken === "object" && "kind" in taken) return taken;
      if (typeof taken === "object") return fault(`headers refused: ${taken.code}, ${taken.detail}`);
      const last = headers.at(-1);
      if (found === undefined)
        return stepWithoutNew(last === undefined ? undefined : chain.get(last.id), taken);
      if (found.ids.length === 0) return NOTHING;
      if (taken === "page") return { kind: "more", locator: [found.last.id] };
      if (taken === "end" && found.work < claim.work) return fault("claims more work than it shows");
      const isWorthIt = found.work >= chain.head().work && found.work >= rules.spec.minimumWork;
      if (isWorthIt) return { kind: "found", chain: found };
      if (taken === "full") return fault(`shows ${found.ids.length} headers whose work does not reach ours`);
      return NOTHING;
    },
  };
}
