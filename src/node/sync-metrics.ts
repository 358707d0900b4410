import { eachOf, type Metrics } from "../ports/index.ts";
import type { SyncEffect, SyncObstacle, SyncProgress } from "../sync/index.ts";

const ASKED = ["request-headers", "request-blocks"] as const;
const OUTCOMES = ["ok", "failed", "cancelled"] as const;

/** Numbers of the sync: what it asks for, what comes, whom it waits for. */
export interface SyncMetrics {
  /** `open`: requests under way. */
  watch(
    driver: {
      readonly progress: SyncProgress | undefined;
      readonly obstacle: SyncObstacle | undefined;
      readonly isSyncing: boolean;
    },
    open: () => number,
  ): void;
  asked(kind: string, outcome: (typeof OUTCOMES)[number]): void;
  headers(count: number): void;
  bodies(count: number): void;
  /** What the passing of time made the planner do: requests cancelled because their peer stalls. */
  ticked(effects: readonly SyncEffect[]): void;
  disconnected(isFault: boolean): void;
}

export function createSyncMetrics(metrics: Metrics): SyncMetrics {
  const counter = (what: string, help: string, labels: Readonly<Record<string, string>> = {}) =>
    metrics.counter({ name: `cumulo_sync_${what}_total`, help, labels });
  const asked = eachOf(ASKED, (request) =>
    eachOf(OUTCOMES, (outcome) =>
      counter("requests", "Requests of the sync, by how they ended", {
        kind: request === "request-headers" ? "headers" : "bodies",
        outcome,
      }),
    ),
  );
  const headers = counter("headers", "Headers that the sync got");
  const bodies = counter("bodies", "Bodies that the sync got");
  const stalls = counter("stalled_windows", "Windows of bodies taken from a peer that stalled");
  const disconnects = eachOf(["fault", "no-use"], (why) =>
    counter("disconnects", "Peers that the sync disconnected", { why }),
  );
  return {
    watch(driver, open) {
      const gauge = (what: string, help: string, read: () => number) =>
        metrics.gaugeOf({ name: `cumulo_sync_${what}`, help }, read);
      gauge("active", "1 while blocks of a better chain come in", () => (driver.isSyncing ? 1 : 0));
      gauge("obstacle", "1 while a better chain is known that cannot be followed", () =>
        driver.obstacle === undefined ? 0 : 1,
      );
      gauge(
        "target_height",
        "Height that is being fetched; 0: none",
        () => driver.progress?.targetHeight ?? 0,
      );
      gauge("missing_blocks", "Blocks that headers name and that are not here yet", () => {
        const { blocksTotal = 0, blocksDone = 0 } = driver.progress ?? {};
        return blocksTotal - blocksDone;
      });
      gauge("open_requests", "Requests under way: of headers, and one per window of bodies", open);
    },
    asked(kind, outcome) {
      asked[kind as (typeof ASKED)[number]]?.[outcome].increment();
    },
    headers: (count) => headers.increment(count),
    bodies: (count) => bodies.increment(count),
    ticked(effects) {
      stalls.increment(effects.filter(({ kind }) => kind === "cancel").length);
    },
    disconnected: (isFault) => disconnects[isFault ? "fault" : "no-use"].increment(),
  };
}
