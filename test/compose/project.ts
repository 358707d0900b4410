import { fileURLToPath } from "node:url";
import type { Peer, Status } from "../../src/api/index.ts";
import { type Commands, poll, type RunResult } from "./commands.ts";
import type { ComposeTool, Engine } from "./engine.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));
const BUILD_MS = 300_000;
const COMPOSE_MS = 120_000;
const HEALTHY_MS = 120_000;

export const NODES = ["node1", "node2", "node3"] as const;
export type NodeName = (typeof NODES)[number];

/** The compose file of this checkout, run by one kind of Compose under a project name of its own. */
export interface Project {
  readonly name: string;
  readonly network: string;
  /** The host's port of each node's API. */
  readonly ports: Readonly<Record<NodeName, number>>;
  compose(args: readonly string[], timeoutMs?: number): Promise<RunResult>;
  docker(args: readonly string[]): Promise<string>;
  /** Looks up the containers' names, which the kinds of Compose form differently; after each `up`. */
  findContainers(): Promise<void>;
  container(node: NodeName): string;
  /** Runs a shell command in a node's container, as its user. */
  sh(node: NodeName, script: string): Promise<RunResult>;
  /** `cumulo ARGS --json` in a node's container. */
  cumulo<T>(node: NodeName, ...args: readonly string[]): Promise<T>;
  /** What `cumulo` prints for people. */
  text(node: NodeName, ...args: readonly string[]): Promise<string>;
  status(node: NodeName): Promise<Status>;
  peers(node: NodeName): Promise<Peer[]>;
  /** Waits until Docker calls all of them healthy. */
  healthy(nodes?: readonly NodeName[]): Promise<void>;
  /** Waits until all nodes have one head, and gives it. */
  converged(timeoutMs?: number): Promise<Status["head"]>;
  /** What `inspect` says, by its template. */
  inspect(node: NodeName, template: string): Promise<string>;
  /** Containers, networks and volumes that bear the project's name. */
  remains(): Promise<string[]>;
  /** Takes away all that it made, images too, whatever state it is in. */
  remove(commands: Commands): Promise<void>;
}

export function createProject(
  commands: Commands,
  engine: Engine,
  tool: ComposeTool,
  settings: { readonly name: string; readonly ports: Readonly<Record<NodeName, number>> },
): Project {
  const { name, ports } = settings;
  const env: NodeJS.ProcessEnv = {
    ...engine.env,
    NODE1_PORT: String(ports.node1),
    NODE2_PORT: String(ports.node2),
    NODE3_PORT: String(ports.node3),
    ...(engine.baseImage === undefined ? {} : { NODE_IMAGE: engine.baseImage }),
  };
  const composeArgs = (args: readonly string[]): string[] => [
    ...tool.command,
    "--project-name",
    name,
    ...args,
  ];
  const containers = new Map<NodeName, string>();

  const docker = async (args: readonly string[]): Promise<string> =>
    (await commands.run(["docker", ...args], { env, timeoutMs: BUILD_MS })).stdout.trim();
  const container = (node: NodeName): string => {
    const found = containers.get(node);
    if (found === undefined) throw new Error(`${node} has no container`);
    return found;
  };
  const text = (node: NodeName, ...args: readonly string[]): Promise<string> =>
    docker(["exec", container(node), "cumulo", ...args]);
  const cumulo = async <T>(node: NodeName, ...args: readonly string[]): Promise<T> =>
    JSON.parse(await text(node, ...args, "--json")) as T;
  const status = (node: NodeName): Promise<Status> => cumulo(node, "status");
  const inspect = (node: NodeName, template: string): Promise<string> =>
    docker(["inspect", "--format", template, container(node)]);

  return {
    name,
    ports,
    network: `${name}_cluster`,
    docker,
    container,
    text,
    cumulo,
    status,
    inspect,
    peers: (node) => cumulo(node, "peers"),
    compose: (args, timeoutMs = args[0] === "build" ? BUILD_MS : COMPOSE_MS) =>
      commands.run(composeArgs(args), { env, cwd: CHECKOUT, timeoutMs }),
    async findContainers() {
      containers.clear();
      for (const node of NODES) {
        const { stdout } = await commands.run(composeArgs(["ps", "-q", node]), { env, cwd: CHECKOUT });
        containers.set(node, stdout.trim());
      }
    },
    sh: (node, script) =>
      commands.run(["docker", "exec", container(node), "sh", "-c", script], {
        env,
        mayExit: [1, 2],
      }),
    async healthy(nodes = NODES) {
      const isHealthy = async (node: NodeName) =>
        (await inspect(node, "{{.State.Health.Status}}")) === "healthy";
      for (const node of nodes) await poll(`${node} is healthy`, commands, () => isHealthy(node), HEALTHY_MS);
    },
    converged: (timeoutMs = 60_000) =>
      poll(
        "all nodes have one head",
        commands,
        async () => {
          const heads = (await Promise.all(NODES.map(status))).map(({ head }) => head);
          return heads.every(({ id }) => id === heads[0]?.id) ? heads[0] : undefined;
        },
        timeoutMs,
      ),
    async remains() {
      const label = `label=com.docker.compose.project=${name}`;
      const lists = [
        ["ps", "--all", "--quiet", "--filter", label],
        ["network", "ls", "--quiet", "--filter", label],
        ["volume", "ls", "--quiet", "--filter", label],
      ];
      const found: string[] = [];
      for (const list of lists)
        for (const id of (await docker(list)).split("\n")) if (id !== "") found.push(`${list[0]} ${id}`);
      return found;
    },
    async remove({ run }) {
      const stray = ["ps", "--all", "--quiet", "--filter", `label=cumulo-test=${name}`];
      const { stdout } = await run(["docker", ...stray], { env });
      for (const id of stdout.split("\n").filter(Boolean))
        await run(["docker", "rm", "--force", "--volumes", id], { env });
      const down = ["down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "5"];
      await run(composeArgs(down), { env, cwd: CHECKOUT, timeoutMs: COMPOSE_MS });
    },
  };
}
