import type { Status } from "../api/index.ts";
import type { Chain } from "../chain/index.ts";
import { formatWork, type TreeBlock } from "../consensus/index.ts";
import type { Supervisor } from "../network/index.ts";
import type { Clock, Network } from "../ports/index.ts";
import type { SyncObstacle } from "../sync/index.ts";
import type { SyncDriver } from "./sync-driver.ts";
import { blockRef, stateOf } from "./views.ts";

/** Tied branches shown at most: more is not read by anybody to the end. */
const MAX_TIED = 100;

export interface SyncViewDeps {
  readonly chain: Chain;
  readonly clock: Clock;
  readonly network: Network;
  readonly supervisor: Supervisor;
  readonly sync: SyncDriver;
}

/** Whether a node has what its peers have, and why it says so: the head's age and the peers' work. */
export function syncView(deps: SyncViewDeps): Pick<Status, "state" | "reason" | "sync" | "obstacle"> {
  const { chain, supervisor, sync } = deps;
  const { progress, obstacle } = sync;
  // From checked headers on; mining and taking transactions stop a moment later, when the first blocks are here.
  if (progress?.phase === "blocks") {
    const { targetHeight, blocksTotal, blocksDone, blocksPerSecond, remainingMs } = progress;
    const peers = [...progress.peers];
    const from = peers.length > 1 ? `${peers.length} peers` : (peers[0] ?? progress.shownBy);
    const left = remainingMs === undefined ? "" : `, about ${duration(remainingMs)} left`;
    return {
      state: "syncing",
      reason: `fetching blocks up to height ${targetHeight} from ${from}; head is at ${chain.head.height}${left}`,
      sync: {
        targetHeight,
        blocksTotal,
        blocksDone,
        blocksPerSecond: Math.round(blocksPerSecond),
        remainingMs: remainingMs ?? null,
        peers,
      },
      obstacle: null,
    };
  }
  const peers = deps.network.connections();
  const age = headAge(deps);
  if (peers.length === 0) {
    const configured = supervisor.list().length;
    const why =
      configured === 0 ? "no peers are configured" : `none of ${configured} configured peers answers`;
    return { state: "waiting-for-peers", reason: `${why}; ${age}`, sync: null, obstacle: null };
  }
  if (obstacle !== undefined) return { ...obstacleView(obstacle, chain), sync: null };
  return { state: "synced", reason: `${peersWork(deps)}; ${age}`, sync: null, obstacle: null };
}

/**
 * What is exactly as good as the head and could be one: it was, or a connected peer says that it stands on it. Any other
 * block of that work costs its maker nothing but proof of work, and may be invalid: it was never connected here.
 */
export function tiedView({
  chain,
  network,
  sync,
}: Omit<SyncViewDeps, "clock" | "supervisor">): Status["tied"] {
  const { head, tree } = chain;
  const claimed = network.connections().map(({ peer }) => tree.get(sync.lastStatus(peer)?.head ?? ""));
  // A block whose only children are invalid is as good as a leaf.
  const ends = tree.tips().map((tip) => {
    let end = tip;
    while (end.status === "invalid") end = tree.get(end.parent) ?? tree.genesis;
    return end;
  });
  const former = ends.filter(({ status }) => status === "valid");
  const isTied = (block: TreeBlock | undefined): block is TreeBlock =>
    block !== undefined &&
    block.work === head.work &&
    block.id !== head.id &&
    stateOf(chain, block) === "side";
  return [...new Set([...claimed, ...former].filter(isTied))].slice(0, MAX_TIED).map(blockRef);
}

function obstacleView(
  obstacle: SyncObstacle,
  { head }: Chain,
): Pick<Status, "state" | "reason" | "obstacle"> {
  if (obstacle.code === "PEERS_PRUNED") {
    const { firstHeight, neededHeight } = obstacle;
    const reason = `connected peers keep only blocks from height ${firstHeight} on, and block ${neededHeight} is needed; connect to a full node`;
    return { state: "waiting-for-peers", reason, obstacle };
  }
  const { forkHeight, firstHeight } = obstacle;
  const work = formatWork(obstacle.work);
  const reason = `peers have a branch with work ${spokenWork(obstacle.work)} (ours ${spokenWork(head.work)}) that leaves our chain at height ${forkHeight}; this node has pruned its blocks below ${firstHeight} and cannot go back there; to follow it, start with a new --data directory`;
  return { state: "cut-off", reason, obstacle: { ...obstacle, work } };
}

function peersWork({ chain, network, sync }: SyncViewDeps): string {
  const claims = network.connections().flatMap(({ peer }) => sync.lastStatus(peer) ?? []);
  const wanted = claims.filter(({ head }) => chain.tree.get(head)?.mark === undefined);
  const most = wanted.reduce((work, claim) => (claim.work > work ? claim.work : work), 0n);
  const ours = spokenWork(chain.head.work);
  const marked = notFollowed(chain);
  if (claims.length === 0) return `no peer has said yet what it has; ours is work ${ours}${marked}`;
  // What it claims it has yet to show; it is asked for it when its turn comes.
  if (most > chain.head.work)
    return `a peer claims work ${spokenWork(most)} and has not shown it; ours is ${ours}${marked}`;
  const claim = claims.length === 1 ? "peer claims" : "peers claim";
  return `${claims.length} ${claim} no more work: ${spokenWork(most)} at most, ours is ${ours}${marked}`;
}

/** Work in a sentence, as commands show it too: digits as people read them, as long as they can be read. */
const spokenWork = (work: bigint): string =>
  work < 10n ** 15n ? work.toLocaleString("en-US") : `0x${formatWork(work)}`;

/** Blocks that our operator invalidated, and what builds on them: a peer that has more work may have it there. */
function notFollowed({ tree }: Chain): string {
  const { size } = tree.marks;
  return size === 0
    ? ""
    : `; what was invalidated here (${size} blocks; see "cumulo tips") is not followed, whatever its work`;
}

function headAge({ chain, clock }: SyncViewDeps): string {
  if (chain.head.height === 0) return "the chain is at genesis";
  return `the head is ${duration(Math.max(0, clock.nowMs() - chain.head.timestampMs))} old`;
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
