import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { AttackRole } from "../api/index.ts";
import { type Client, createClient } from "../client/index.ts";
import type { Logger } from "../ports/index.ts";
import { NODE_GRACE_MS } from "./claim.ts";
import { ClusterError, type ClusterErrorCode, hint } from "./errors.ts";
import {
  lastWords,
  type NodeAddress,
  type NodeExit,
  type NodeProcess,
  type NodeProcessOptions,
  startNodeProcess,
  waitForNode,
} from "./node-process.ts";
import { guardPaused, type PauseGuard } from "./pause-guard.ts";
import { endProcess, type ProcessId, processState, signalProcess, waitUntil } from "./processes.ts";

/** `starting`: until it answers. `paused`: stopped by a signal, whoever sent it. */
export type NodeState = "starting" | "running" | "paused" | "ended";

/** One node as `GET /v1/cluster` tells it. */
export interface NodeView {
  readonly n: number;
  readonly pid: number;
  readonly state: NodeState;
  /** Of an ended node: its exit code or signal. */
  readonly exit: string | null;
  /** Of an ended node: how that came. */
  readonly why: string | null;
  readonly api: string;
  readonly peer: string;
  readonly multiaddrs: readonly string[];
  readonly dataDir: string;
  /** The part that it plays in an attack; null: it is honest. */
  readonly attack: AttackRole | null;
}

/** One node of a cluster through all its processes: started, signalled, ended, started again. */
export interface Member {
  readonly n: number;
  readonly dataDir: string;
  /** Its last process, also where that has ended. */
  process(): ProcessId | undefined;
  /** Where it answers, or did last. */
  address(): NodeAddress | undefined;
  /** Its own API, with the right to change it; fails where it never ran. */
  client(): Client;
  /** Its own bearer token. */
  token(): string;
  /** The error that tells why it cannot be asked anything, while its process has ended. */
  ended(): ClusterError | undefined;
  view(): Promise<NodeView>;
  /** Fails with a `ClusterError` where the node does not come up, and leaves no process then. */
  start(signal: AbortSignal): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** As `node stop`: asked to end, and killed after its grace. */
  stop(): Promise<void>;
}

export interface MemberDeps {
  readonly logger: Logger;
  /** Called as soon as there is another process, before anything can go wrong with it. */
  onProcess(): Promise<void>;
}

export interface MemberOptions extends Omit<NodeProcessOptions, "api" | "listen"> {
  /** The cluster's, for hints. */
  readonly directory: string;
  /** It does not start with the others, but when it is told to. */
  readonly isLate?: boolean;
}

const SIGNAL_MS = 2_000;
/** Why a late node does not run, before its first start. */
const LATE = "it was not started yet";
const HOST = "127.0.0.1";

/** Whether nobody has the port: a node that ended leaves its own to whoever comes first. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: HOST, port }, () => server.close(() => resolve(true)));
  });
}

/** The ports that the node had, so that its peers find it again; others where somebody has taken them since. */
async function portsOf(
  address: NodeAddress | undefined,
): Promise<Pick<NodeProcessOptions, "api" | "listen">> {
  if (address === undefined) return {};
  const api = Number(new URL(address.api).port);
  const listen = Number(/\/tcp\/(\d+)/.exec(address.multiaddrs[0] ?? "")?.[1] ?? 0);
  return {
    api: `${HOST}:${(await isFree(api)) ? api : 0}`,
    listen: `/ip4/${HOST}/tcp/${(await isFree(listen)) ? listen : 0}`,
  };
}

/** One process of a node, and what is known of its end. */
interface Life {
  readonly process: NodeProcess;
  /** What we did to it, which explains its end. */
  deed?: "kill" | "stop";
  why?: string;
  /** While it is paused. */
  guard?: PauseGuard | undefined;
}

export function createMember(deps: MemberDeps, options: MemberOptions): Member {
  const { n, dataDir, directory } = options;
  let life: Life | undefined;
  let address: NodeAddress | undefined;
  let token = "";
  let isStarting = options.isLate !== true;

  const restartHint = `start it with ${hint(`restart ${n}`, directory)}`;
  const failed = (code: ClusterErrorCode, message: string): ClusterError =>
    new ClusterError(code, message, { details: { node: n } });
  const howItEnded = ({ code, signal }: NodeExit): string => String(signal ?? code);

  async function explain({ deed }: Life, { code, signal }: NodeExit): Promise<string> {
    if (deed === "kill") return "killed by cluster kill";
    if (deed === "stop") return "stopped by its supervisor";
    if (signal !== null) return `ended by ${signal}`;
    return code === 0 ? "stopped by itself or on request" : `exit code ${code}: ${await lastWords(dataDir)}`;
  }

  /** Tells of the end of a process, whenever it comes. */
  async function follow(one: Life): Promise<void> {
    const exit = await one.process.ended;
    await one.guard?.release();
    const why = await explain(one, exit);
    one.why ??= why;
    const fields = { node: n, nodePid: one.process.id.pid, exit: howItEnded(exit), why };
    if (one.deed === undefined) deps.logger.warn(fields, "a node ended");
    else deps.logger.info(fields, "a node ended");
  }

  const hasEnded = (): boolean => life === undefined || life.process.exit() !== undefined;

  async function stateNow(): Promise<NodeState> {
    if (isStarting) return "starting";
    if (life === undefined || hasEnded()) return "ended";
    const { process } = life;
    const state = await processState(process.id);
    if (state !== "gone") return state;
    // The system has noted its end, and this process hears of it in a moment.
    await waitUntil(() => process.exit() !== undefined, SIGNAL_MS);
    return "ended";
  }

  async function whyEnded(): Promise<string | null> {
    if (life === undefined && options.isLate === true) return LATE;
    const exit = life?.process.exit();
    if (life === undefined || exit === undefined) return null;
    return life.why ?? (await explain(life, exit));
  }

  async function view(): Promise<NodeView> {
    const state = await stateNow();
    const exit = state === "ended" ? life?.process.exit() : undefined;
    const { api = "", peer = "", multiaddrs = [] }: Partial<NodeAddress> = address ?? {};
    return {
      n,
      pid: life?.process.id.pid ?? 0,
      state,
      exit: exit === undefined ? null : howItEnded(exit),
      why: state === "ended" ? await whyEnded() : null,
      api,
      peer,
      multiaddrs,
      dataDir,
      attack: options.attack ?? null,
    };
  }

  const endedError = (): ClusterError =>
    failed(
      "CLUSTER_NODE_ENDED",
      `node ${n} has ended (${life?.why ?? (options.isLate ? LATE : "just now")}); ${restartHint}`,
    );

  /** The process that is to be signalled, or why there is none. */
  async function living(): Promise<{ readonly id: ProcessId; readonly state: NodeState }> {
    const state = await stateNow();
    if (life === undefined || hasEnded() || state === "ended") throw endedError();
    return { id: life.process.id, state };
  }

  async function signalTo(name: NodeJS.Signals, wanted: "running" | "paused" | "gone"): Promise<void> {
    const { id } = await living();
    if (!(await signalProcess(id, name))) throw endedError();
    const arrived = await waitUntil(async () => (await processState(id)) === wanted, SIGNAL_MS);
    if (arrived) return;
    const message = `node ${n} did not take ${name} within ${SIGNAL_MS / 1_000} s; see ${hint("status", directory)}`;
    throw failed("CLUSTER_NODE_FAILED", message);
  }

  async function start(signal: AbortSignal): Promise<void> {
    isStarting = true;
    try {
      const process = await startNodeProcess({ ...options, ...(await portsOf(address)) }, (error) =>
        deps.logger.warn({ node: n, error: String(error) }, "a node's log cannot be written, lines are lost"),
      );
      life = { process };
      void follow(life);
      await deps.onProcess();
      address = await waitForNode(process, signal);
      token = (await readFile(join(dataDir, "api-token"), "utf8")).trim();
    } catch (error) {
      if (life !== undefined) life.why = (error as Error).message;
      await stop();
      throw error;
    } finally {
      isStarting = false;
    }
  }

  async function stop(): Promise<void> {
    if (life === undefined || hasEnded()) return;
    const { process } = life;
    life.deed ??= "stop";
    await endProcess(process.id, NODE_GRACE_MS);
    // Told of before another takes its place.
    await waitUntil(() => process.exit() !== undefined, SIGNAL_MS);
  }

  return {
    n,
    dataDir,
    process: () => life?.process.id,
    address: () => address,
    token: () => token,
    client() {
      if (address === undefined) throw endedError();
      return createClient({ url: address.api, token });
    },
    ended: () => (life === undefined || !hasEnded() ? undefined : endedError()),
    view,
    start,
    stop,
    async kill() {
      await living();
      if (life !== undefined) life.deed = "kill";
      await signalTo("SIGKILL", "gone");
    },
    async pause() {
      const { state } = await living();
      if (state === "starting") throw startingError(n, directory);
      if (state === "paused") {
        const message = `node ${n} is paused already; let it go on with ${hint(`resume ${n}`, directory)}`;
        throw failed("CLUSTER_NODE_PAUSED", message);
      }
      const paused = life;
      if (paused !== undefined) {
        await paused.guard?.release();
        // Before the signal: there is no moment in which our end would leave it paused.
        paused.guard = await guardPaused(paused.process.id).catch((error: unknown) => {
          deps.logger.warn({ node: n, error: String(error) }, "a paused node would outlive this process");
          return undefined;
        });
      }
      await signalTo("SIGSTOP", "paused");
    },
    async resume() {
      const { state } = await living();
      if (state === "starting") throw startingError(n, directory);
      if (state === "running") {
        const message = `node ${n} is not paused, it runs; pause it with ${hint(`pause ${n}`, directory)}`;
        throw failed("CLUSTER_NODE_RUNNING", message);
      }
      await signalTo("SIGCONT", "running");
      await life?.guard?.release();
    },
  };
}

/** It is between two states; nothing but a kill can be done to it now. */
export function startingError(n: number, directory: string): ClusterError {
  const message = `node ${n} is being started or changed right now; try again when ${hint("status", directory)} shows it`;
  return new ClusterError("CLUSTER_NODE_STARTING", message, { details: { node: n } });
}
