import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { type Commands, poll } from "./commands.ts";

const START_MS = 60_000;
/** Containers that still run are given 15 s by the daemon when it ends. */
const END_MS = 40_000;
/** slirp4netns answers names here. */
const NAME_SERVER = "10.0.2.3";
const CGROUPS = "/sys/fs/cgroup";

/**
 * What runs as the first process of the private namespaces. It ends by a line on its standard input, or when that is
 * closed, which is when whoever started it has died, however. With it ends every process, mount, address and firewall
 * rule in them; the files too, if nobody else is left to remove them.
 */
const FIRST_PROCESS = `set -u
directory=$1; cgroup=$2; files=$3
names=$(readlink -m /etc/resolv.conf)
mount -t tmpfs -o size=64m,mode=755 tmpfs /run
echo "nameserver ${NAME_SERVER}" >"$directory/resolv.conf"
mkdir -p "$(dirname "$names")"; [ -e "$names" ] || : >"$names"
mount --bind "$directory/resolv.conf" "$names"
dockerd --config-file "$directory/daemon.json" --data-root "$directory/data" --exec-root "$directory/exec" \\
  --pidfile "$directory/dockerd.pid" --host "unix://$directory/docker.sock" --cgroup-parent "/$cgroup" \\
  --dns ${NAME_SERVER} --bip 172.31.255.1/24 >"$directory/dockerd.log" 2>&1 </dev/null &
: >"$directory/started"
if read -r word; then orphaned=; else orphaned=yes; fi
kill -TERM $!; wait $!
[ "$orphaned" ] && [ $$ = 1 ] || exit 0
for process in /proc/[0-9]*; do [ "$process" = /proc/1 ] || kill -KILL "\${process#/proc/}"; done
find ${CGROUPS} -depth -type d -path "*/$cgroup*" -exec rmdir {} \\; 2>/dev/null
rm -rf --one-file-system "$files"
`;

/** A Docker engine in a network, mounts and processes of its own: this machine's firewall and routes are not touched. */
export interface Sandbox {
  /** The environment of its clients. */
  readonly env: NodeJS.ProcessEnv;
  /** Put before a command, makes it run where the engine's containers publish their ports. */
  readonly inNetwork: readonly string[];
  /** Put before a command, makes it one of the sandbox: it ends with it, as do its mounts. */
  readonly inside: readonly string[];
  /** Ends all that is in it, by the process that holds it, and removes its files. Says what would not go. */
  end(): Promise<string[]>;
}

interface Held {
  readonly holder: ChildProcess;
  readonly directory: string;
  readonly cgroup: string;
  network?: ChildProcess;
}

/** Starts one with the programs of `env`, and files in a part of `files`, all of which goes if we die. */
export async function startSandbox(
  commands: Commands,
  files: string,
  env: NodeJS.ProcessEnv,
): Promise<Sandbox> {
  const cgroup = basename(files);
  const directory = join(files, "engine");
  await mkdir(directory);
  const clientEnv = { ...env, DOCKER_HOST: `unix://${join(directory, "docker.sock")}` };
  await writeFile(join(directory, "daemon.json"), "{}\n");
  await writeFile(join(directory, "first-process"), FIRST_PROCESS);
  const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const first = ["/bin/sh", join(directory, "first-process"), directory, cgroup, files];
  // In sessions of their own, so that Ctrl-C reaches only us.
  const holder = spawn("unshare", [...namespaces, ...first], {
    env,
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  const held: Held = { holder, directory, cgroup };
  try {
    await once(holder, "spawn");
    const isLost = (): string | undefined =>
      holder.exitCode !== null || holder.signalCode !== null ? "the namespaces could not be made" : undefined;
    await poll(
      "the sandbox starts",
      commands,
      notLost(isLost, async () => existsSync(join(directory, "started"))),
      START_MS,
    );
    held.network = await startNetwork(commands, holder, env);
    const answers = async () =>
      (await commands.run(["docker", "info"], { env: clientEnv, timeoutMs: 10_000 })).code === 0;
    await poll("dockerd answers", commands, answers, START_MS);
  } catch (error) {
    const log = await readFile(join(directory, "dockerd.log"), "utf8").catch(() => "");
    await end(held);
    throw new Error(`the engine did not start\n${log.slice(-2_000)}`, { cause: error });
  }
  const of = (kind: string): string => `/proc/${holder.pid}/ns/${kind}`;
  return {
    env: clientEnv,
    inNetwork: ["nsenter", `--net=${of("net")}`],
    inside: ["nsenter", `--net=${of("net")}`, `--mount=${of("mnt")}`, `--pid=${of("pid_for_children")}`],
    end: () => end(held),
  };
}

/** The question, answered at once with an error where its subject is gone. */
function notLost(isLost: () => string | undefined, ask: () => Promise<boolean>): () => Promise<boolean> {
  return async () => {
    const lost = isLost();
    if (lost !== undefined) throw new Error(lost);
    return await ask();
  };
}

/** A way out for the sandbox, in user space: no bridge, address or rule of this machine is needed for it. */
async function startNetwork(
  commands: Commands,
  holder: ChildProcess,
  env: NodeJS.ProcessEnv,
): Promise<ChildProcess> {
  // It ends when descriptor 3 does, so with us in any case, and writes to 4 when it is ready.
  const options = ["--configure", "--mtu=65520", "--disable-host-loopback", "--exit-fd=3", "--ready-fd=4"];
  const network = spawn("slirp4netns", [...options, String(holder.pid), "tap0"], {
    env,
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    detached: true,
  });
  let isReady = false;
  (network.stdio[4] as Readable).on("data", () => {
    isReady = true;
  });
  network.on("error", () => {});
  await poll("the sandbox has a network", commands, async () => isReady, START_MS);
  return network;
}

async function end({ holder, directory, cgroup, network }: Held): Promise<string[]> {
  const problems: string[] = [];
  if (holder.exitCode === null && holder.signalCode === null) {
    const ended = once(holder, "exit");
    const timer = setTimeout(() => {
      problems.push(`the engine had not ended after ${END_MS / 1_000} s and was killed`);
      holder.kill("SIGKILL");
    }, END_MS);
    holder.stdin?.end("end\n");
    await ended;
    clearTimeout(timer);
  }
  if (network !== undefined && network.exitCode === null && network.signalCode === null) {
    const ended = once(network, "exit");
    (network.stdio[3] as Duplex).destroy();
    await ended;
  }
  await rm(directory, { recursive: true, force: true });
  await removeCgroups(cgroup);
  return [...problems, ...(await leftovers(directory, cgroup))];
}

async function cgroupsOf(name: string): Promise<string[]> {
  const controllers = await readdir(CGROUPS).catch((): string[] => []);
  return [CGROUPS, ...controllers.map((controller) => join(CGROUPS, controller))]
    .map((path) => join(path, name))
    .filter((path) => existsSync(path));
}

/** Groups of processes that have ended are empty directories, inner ones first. */
async function removeCgroups(name: string): Promise<void> {
  for (const top of await cgroupsOf(name)) {
    const inner = (await readdir(top, { withFileTypes: true, recursive: true }).catch(() => []))
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));
    for (const path of [...inner.sort((a, b) => b.length - a.length), top]) await rmdir(path).catch(() => {});
  }
}

/** What is still there of the sandbox, in sentences. */
async function leftovers(directory: string, cgroup: string): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  const processes: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.includes(directory)) processes.push(`${pid} ${command.replaceAll("\0", " ")}`);
  }
  return [
    ...processes.map((line) => `a process is left: ${line}`),
    ...mounts.filter((line) => line.includes(directory)).map((line) => `a mount is left: ${line}`),
    ...(await cgroupsOf(cgroup)).map((path) => `a cgroup is left: ${path}`),
    ...(existsSync(directory) ? [`files are left: ${directory}`] : []),
  ];
}
