import type { Finding, NodeFindingCode, Severity } from "../../api/index.ts";
import { formatWork } from "../../consensus/index.ts";
import type { BlockFact, Facts } from "./facts.ts";

/** So long without a block, a sync does not go on. */
const STALLED_MS = 30_000;
/** Refusals of so long ago are history. */
const RECENT_MS = 10 * 60_000;
/** A head so much older than an interval, and than this, is one that nobody builds on. */
const OLD_INTERVALS = 20;
const OLD_MS = 60_000;
/** Blocks and peers named in details, at most. */
const MAX_NAMED = 20;
/** Gossiped blocks before their times say anything of our clock, and what they must be off by. */
const MIN_DELAYS = 5;
const FAST_MS = 10_000;

export const finding = (
  code: NodeFindingCode,
  severity: Severity,
  summary: string,
  advice: string,
  details: Readonly<Record<string, unknown>> = {},
): Finding => ({ code, severity, summary, advice, details: { ...details } });

export const shortId = (id: string): string => id.slice(0, 12);
export const shortPeer = (peer: string): string => `…${peer.slice(-8)}`;
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;
const blockView = ({ id, height, work }: BlockFact) => ({ id, height, work: formatWork(work) });
const spokenWork = (work: bigint): string => work.toLocaleString("en-US");
const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

/** Most peers stand on another branch: one that an operator invalidated, that breaks a rule here, or that is not known. */
function minorityFork({ head, peers }: Facts): Finding[] {
  const speaking = peers.filter(({ stand }) => stand !== "silent");
  const others = speaking.filter(({ stand }) => stand === "other");
  if (others.length === 0 || others.length * 2 <= speaking.length) return [];
  const best = others.reduce((most, one) =>
    (one.claim?.work ?? 0n) > (most.claim?.work ?? 0n) ? one : most,
  );
  const { claim, forkPoint } = best;
  if (claim === undefined) return [];
  const from =
    forkPoint === undefined
      ? "its blocks are not known here"
      : `it left ours after block ${forkPoint.height} (${shortId(forkPoint.id)})`;
  const isHeavier = claim.work > head.work;
  return [
    finding(
      "MINORITY_FORK",
      claim.work >= head.work ? "problem" : "warning",
      `${others.length} of ${count(speaking.length, "peer")} ${others.length === 1 ? "is" : "are"} on another branch, with work ${spokenWork(claim.work)} against ours of ${spokenWork(head.work)}; ${from}`,
      isHeavier
        ? "see the findings below for why this node does not follow; cumulo tips lists the branches it knows"
        : "with less or equal work it is for them to come over, or for the next block to decide; if nobody mines, mine one block",
      {
        peers: others.slice(0, MAX_NAMED).map(({ peer }) => peer),
        ours: blockView(head),
        theirs: blockView(claim),
        forkPoint: forkPoint === undefined ? null : blockView(forkPoint),
      },
    ),
  ];
}

function passedOver({ passedOver: tips, head, refusals, peers }: Facts): Finding[] {
  // A bad block on our head is anybody's to make; it matters where peers build on it.
  const isFollowed = (work: bigint): boolean =>
    peers.some(({ stand, claim }) => ["ahead", "other"].includes(stand) && (claim?.work ?? 0n) >= work);
  return tips.slice(0, MAX_NAMED).map((tip) => {
    const lead = `a branch with work ${spokenWork(tip.work)} (ours ${spokenWork(head.work)}) ends in ${tip.height} ${shortId(tip.id)}`;
    if (tip.rule === undefined)
      return finding(
        "BETTER_BRANCH_INVALIDATED",
        "problem",
        `${lead} and is not followed, as an operator of this node invalidated it`,
        `take that back with: cumulo block reconsider ${tip.id}`,
        { tip: blockView(tip) },
      );
    const from = refusals.find(({ block }) => block === tip.id)?.peer;
    return finding(
      "BETTER_BRANCH_REFUSED",
      isFollowed(tip.work) ? "problem" : "warning",
      `${lead} and is not followed, as it breaks rule ${tip.rule}${from === undefined ? "" : `; it came from peer ${shortPeer(from)}`}`,
      "if peers follow it, compare versions and genesis.json with theirs, as one of you judges by other rules; if none does, it is somebody's bad block, and nothing is to be done",
      { tip: blockView(tip), rule: tip.rule, peer: from ?? null },
    );
  });
}

/** Refused before they had a place in the tree; those with more work count like a better branch. */
function refused({ refusals, nowMs, passedOver: tips }: Facts): Finding[] {
  const told = new Set(tips.map(({ id }) => id));
  const recent = refusals.filter(
    ({ timeMs, block, isPermanent }) => isPermanent && nowMs - timeMs <= RECENT_MS && !told.has(block),
  );
  const last = recent.at(-1);
  if (last === undefined) return [];
  const peers = new Set(recent.map(({ peer }) => peer));
  return [
    finding(
      "BLOCKS_REFUSED",
      "warning",
      `${count(recent.length, "block")} from ${count(peers.size, "peer")} refused in the last 10 minutes, at last ${last.height} ${shortId(last.block)} from ${shortPeer(last.peer)} by rule ${last.rule}: ${last.detail}`,
      "docs/protocol.md says what the rule is; if many peers send such blocks, compare versions and genesis.json with theirs",
      { refusals: recent.slice(-MAX_NAMED).map(({ times: _, ...one }) => one) },
    ),
  ];
}

function obstacles({ state: { obstacle, reason } }: Facts): Finding[] {
  if (obstacle?.code === "PEERS_PRUNED")
    return [
      finding(
        "PEERS_PRUNED",
        "problem",
        `the connected peers have pruned block ${obstacle.neededHeight}, which is needed next`,
        "connect to a node that keeps all blocks: cumulo peer add MULTIADDR",
        { ...obstacle },
      ),
    ];
  if (obstacle?.code === "BRANCH_CUT_OFF")
    return [
      finding(
        "BRANCH_CUT_OFF",
        "problem",
        reason,
        "start with a new --data directory, or restore a backup of a node on that branch",
        { ...obstacle },
      ),
    ];
  return [];
}

function orphans({ orphans: waiting }: Facts): Finding[] {
  const [first] = waiting;
  if (first === undefined) return [];
  return [
    finding(
      "PARENT_MISSING",
      "warning",
      `${count(waiting.length, "announced block")} ${waiting.length === 1 ? "waits" : "wait"} for a parent that is not here: ${first.height} ${shortId(first.id)} from ${shortPeer(first.from)} builds on ${shortId(first.parent)}`,
      "the sender is asked for it, so this passes in seconds; if it stays, the sender does not give what it announces: connect to another peer",
      { blocks: waiting.slice(0, MAX_NAMED) },
    ),
  ];
}

function claims({ peers, head, state }: Facts): Finding[] {
  if (state.state === "syncing" || state.obstacle !== null) return [];
  const ahead = peers.filter(({ stand }) => stand === "ahead");
  const best = ahead.reduce<bigint>(
    (work, { claim }) => (claim && claim.work > work ? claim.work : work),
    0n,
  );
  if (ahead.length === 0) return [];
  return [
    finding(
      "CLAIM_NOT_SHOWN",
      "warning",
      `${count(ahead.length, "peer")} ${ahead.length === 1 ? "claims" : "claim"} more work (${spokenWork(best)}, ours ${spokenWork(head.work)}) and ${ahead.length === 1 ? "has" : "have"} not shown the blocks yet`,
      "each is asked in its turn; if it stays for a minute, it is made up or held back: connect to other peers",
      {
        peers: ahead
          .slice(0, MAX_NAMED)
          .map(({ peer, claim }) => ({ peer, claim: claim && blockView(claim) })),
      },
    ),
  ];
}

function tied({ state, isMining, head }: Facts): Finding[] {
  const [other] = state.tied;
  if (other === undefined || isMining) return [];
  return [
    finding(
      "TIED",
      "warning",
      `${shortId(head.id)} and ${state.tied.length === 1 ? shortId(other.id) : count(state.tied.length, "other block")} have the same work, and this node does not mine: nodes may stay on different ones`,
      "mine one block: cumulo mine 1",
      { tied: state.tied },
    ),
  ];
}

function progress({ state: { sync }, lastBlockAgoMs }: Facts): Finding[] {
  if (sync === null) return [];
  const { blocksDone, blocksTotal, blocksPerSecond, peers } = sync;
  const details = { ...sync, lastBlockAgoMs };
  if (lastBlockAgoMs >= STALLED_MS)
    return [
      finding(
        "SYNC_STALLED",
        "problem",
        `syncing, ${blocksDone} of ${blocksTotal} blocks, and none has come for ${seconds(lastBlockAgoMs)}`,
        "connect to more peers (cumulo peer add MULTIADDR); cumulo peers shows those it has",
        details,
      ),
    ];
  return [
    finding(
      "SYNCING",
      "note",
      `syncing: ${blocksDone} of ${blocksTotal} blocks, ${blocksPerSecond} a second, from ${count(peers.length, "peer")}`,
      "wait; mining and new transactions begin when it is done",
      details,
    ),
  ];
}

/** Nothing is wrong that shows from here: no connected peer has more than this node, and nothing comes. */
function noNewBlocks({ head, peers, state, nowMs, intervalMs, isMining }: Facts): Finding[] {
  const ageMs = nowMs - head.timestampMs;
  const isOld = head.height > 0 && ageMs > Math.max(OLD_MS, OLD_INTERVALS * intervalMs);
  if (!isOld || isMining || state.state !== "synced" || peers.some(({ stand }) => stand === "ahead"))
    return [];
  return [
    finding(
      "NO_NEW_BLOCKS",
      "note",
      `the head is ${seconds(ageMs)} old and no peer has more work (${count(peers.length, "peer")} asked): nobody mines, or these peers are cut off together with this node`,
      "mine (cumulo mine 1), or connect to other peers: cumulo peer add MULTIADDR",
      { ageMs, intervalMs },
    ),
  ];
}

const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)] ?? 0;

/**
 * Peers do not tell their time. What does is blocks: refused as too far ahead, our clock is slow or their miner's fast;
 * all of them old when they come, our clock is fast or they come slowly.
 */
function clock({ refusals, driftMs, gossipDelays, head, nowMs }: Facts): Finding[] {
  const early = refusals.filter(({ rule, timeMs }) => rule === "HDR-09" && nowMs - timeMs <= RECENT_MS);
  const peers = new Set(early.map(({ peer }) => peer));
  const isAhead = head.timestampMs > nowMs;
  if (early.length > 0 || isAhead) {
    const what =
      early.length > 0
        ? `${count(early.length, "block")} from ${count(peers.size, "peer")} refused for now, as dated more than ${driftMs} ms ahead of this clock (HDR-09)`
        : `the head is dated ${seconds(head.timestampMs - nowMs)} ahead of this clock`;
    const sure =
      peers.size > 1
        ? "several peers agree, so it is probably this clock"
        : "it may as well be the clock of one miner";
    return [
      finding(
        "CLOCK_SLOW",
        peers.size > 1 ? "problem" : "warning",
        `${what}: this clock is slow, or theirs is fast; ${sure}`,
        "compare this machine's time with a time server (timedatectl, ntpdate -q), and set it",
        { refusals: early.slice(-MAX_NAMED), confidence: peers.size > 1 ? "probable" : "possible" },
      ),
    ];
  }
  const sorted = [...gossipDelays.delaysMs].sort((a, b) => a - b);
  if (sorted.length < MIN_DELAYS || median(sorted) < FAST_MS) return [];
  return [
    finding(
      "CLOCK_FAST",
      "warning",
      `the last ${sorted.length} gossiped blocks were ${seconds(median(sorted))} old by this clock when they came: it is fast, or they come slowly; ${gossipDelays.peers > 1 ? `${gossipDelays.peers} peers agree` : "only one peer says so"}`,
      "compare this machine's time with a time server (timedatectl, ntpdate -q); if it is right, look at the links (cumulo peers)",
      { medianMs: median(sorted), confidence: gossipDelays.peers > 1 ? "probable" : "possible" },
    ),
  ];
}

function stopped({ stopped: message }: Facts): Finding[] {
  if (message === undefined) return [];
  return [
    finding(
      "CHAIN_STOPPED",
      "problem",
      message,
      "the node ends by itself; mend what it says and start it again",
    ),
  ];
}

/** What is wrong with the chain that this node follows. */
export const chainFindings: readonly ((facts: Facts) => Finding[])[] = [
  stopped,
  minorityFork,
  passedOver,
  obstacles,
  progress,
  clock,
  refused,
  orphans,
  claims,
  tied,
  noNewBlocks,
];
