import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BASE_IMAGE, makeBaseImage } from "./base-image.ts";
import type { Commands } from "./commands.ts";
import { differences, readHostState } from "./host.ts";
import { addComposeV2, isRootOnDebian, unpackPackages } from "./packages.ts";
import { startSandbox } from "./sandbox.ts";

const PULL_MS = 300_000;

/** One kind of Compose. */
export interface ComposeTool {
  readonly command: readonly string[];
  readonly version: string;
}

/** A Docker engine to test with, and what to reach it by. */
export interface Engine {
  readonly description: string;
  readonly env: NodeJS.ProcessEnv;
  /** Put before a command, makes it run where published ports are. */
  readonly inNetwork: readonly string[];
  readonly composes: readonly ComposeTool[];
  /** What was wanted and could not be had. */
  readonly missing: readonly string[];
  /** The stand-in for the base image, where one was made. */
  readonly baseImage?: string;
  /** An engine of our own has ports for itself; on one that was there they may be taken. */
  readonly isOwn: boolean;
  /** Gives everything back; says what it could not. An engine that was there goes on. */
  end(commands: Commands): Promise<string[]>;
}

/** Why there is no engine on a machine that owes none. */
export class NoEngine extends Error {
  override readonly name = "NoEngine";
}

const INSTALLED: readonly (readonly string[])[] = [["docker-compose"], ["docker", "compose"]];

async function findComposes({ run }: Commands, env: NodeJS.ProcessEnv): Promise<ComposeTool[]> {
  const found: ComposeTool[] = [];
  for (const command of INSTALLED) {
    const result = await run([...command, "version", "--short"], { env }).catch(() => undefined);
    const version = result?.stdout.trim();
    // Where docker-compose is v2 too, it is the same program twice.
    if (version && !found.some((tool) => tool.version === version)) found.push({ command, version });
  }
  return found;
}

async function serverVersion({ run }: Commands, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const asked = ["docker", "info", "--format", "{{.ServerVersion}}"];
  const result = await run(asked, { env, timeoutMs: 20_000 }).catch(() => undefined);
  return result?.stdout.trim() || undefined;
}

/** Uses the engine that answers; else, as root on Debian, brings one. `say` tells what takes time. */
export async function findEngine(commands: Commands, say: (text: string) => void): Promise<Engine> {
  const present = await serverVersion(commands, process.env);
  const mayBring = await isRootOnDebian();
  if (present === undefined && !mayBring)
    throw new NoEngine(
      "no Docker engine answers `docker info`, and one is brought along only as root on Debian",
    );
  const directory = await mkdtemp(join(tmpdir(), "cumulo-compose-"));
  try {
    return present === undefined
      ? await bringEngine(commands, directory, say)
      : await useEngine(commands, directory, present, mayBring);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function useEngine(
  commands: Commands,
  directory: string,
  version: string,
  mayBring: boolean,
): Promise<Engine> {
  let { env }: { env: NodeJS.ProcessEnv } = process;
  let composes = await findComposes(commands, env);
  if (composes.length === 0 && mayBring) {
    // Its own docker command goes on finding the engine that is there.
    ({ env } = await unpackPackages(commands, directory));
    composes = await findComposes(commands, env);
  }
  if (composes.length === 0) throw new NoEngine("neither `docker compose` nor `docker-compose` is installed");
  const baseImage = await ensureBaseImage(commands, directory, env, mayBring);
  return {
    description: `the engine that is there, ${version}`,
    env,
    inNetwork: [],
    composes,
    missing: composes.length === 2 ? [] : ["a second kind of Compose"],
    isOwn: false,
    ...(baseImage === undefined ? {} : { baseImage }),
    async end({ run }) {
      if (baseImage !== undefined) await run(["docker", "image", "rm", baseImage], { env, mayExit: [1] });
      await rm(directory, { recursive: true, force: true });
      return [];
    },
  };
}

/** Pulls the base image, or makes a stand-in under a name of its own, which it returns. */
async function ensureBaseImage(
  commands: Commands,
  directory: string,
  env: NodeJS.ProcessEnv,
  mayBring: boolean,
): Promise<string | undefined> {
  const { run } = commands;
  const known = await run(["docker", "image", "inspect", BASE_IMAGE], { env, mayExit: [1] });
  if (known.code === 0) return undefined;
  try {
    await run(["docker", "pull", "--quiet", BASE_IMAGE], { env, timeoutMs: PULL_MS });
    return undefined;
  } catch (error) {
    if (!mayBring)
      throw new NoEngine(`${BASE_IMAGE} cannot be pulled, and a stand-in is made only as root on Debian`, {
        cause: error,
      });
    const tools = await unpackPackages(commands, join(directory, "tools"));
    const inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const tag = `cumulo-compose-base:${process.pid}`;
    const programs = { ...tools.env, DOCKER_CONFIG: env["DOCKER_CONFIG"] };
    await makeBaseImage(commands, { env: programs, inside, directory, tag });
    return tag;
  }
}

async function bringEngine(
  commands: Commands,
  directory: string,
  say: (text: string) => void,
): Promise<Engine> {
  const { env } = await unpackPackages(commands, directory);
  say("Docker, Compose and debootstrap unpacked from Debian packages; nothing is installed");
  const missing: string[] = [];
  await addComposeV2(commands, directory, env).catch((error: Error) => {
    commands.signal.throwIfAborted();
    missing.push(`Compose v2: ${error.message.split("\n")[0]}`);
  });
  const before = await readHostState(env);
  const sandbox = await startSandbox(commands, directory, env);
  try {
    const version = await serverVersion(commands, sandbox.env);
    say(`Docker ${version} runs in network, mount and process namespaces of its own`);
    await makeBaseImage(commands, {
      env: sandbox.env,
      inside: sandbox.inside,
      directory,
      tag: BASE_IMAGE,
    });
    say(`a stand-in for ${BASE_IMAGE} is made with debootstrap and Node ${process.version}`);
    return {
      description: `an engine of our own, Docker ${version}`,
      env: sandbox.env,
      inNetwork: sandbox.inNetwork,
      composes: await findComposes(commands, sandbox.env),
      missing,
      isOwn: true,
      async end() {
        const left = await sandbox.end();
        const changed = differences(before, await readHostState(env));
        await rm(directory, { recursive: true, force: true });
        return [...left, ...changed];
      },
    };
  } catch (error) {
    await sandbox.end();
    throw error;
  }
}
