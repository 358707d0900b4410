import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Commands } from "./commands.ts";

/** An engine and a Compose 1.29, a network for it, and what makes a Debian to put into an image. */
const PACKAGES = ["docker.io", "docker-compose", "iptables", "slirp4netns", "debootstrap", "iproute2"];
/** The Debian whose docker-compose is a Compose v2 of a kind that runs on Debian 12 too. */
const SUITE_OF_COMPOSE_V2 = "trixie";
const DOWNLOAD_MS = 180_000;
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Programs out of Debian packages, unpacked in a directory of ours: nothing of the machine's own is changed by it. */
export interface Packages {
  /** The environment in which they run. */
  readonly env: NodeJS.ProcessEnv;
}

/** True on a Debian of which this process is root: the one place where this test may not be skipped. */
export async function isRootOnDebian(): Promise<boolean> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  return process.getuid?.() === 0 && /^ID="?debian"?$/m.test(release);
}

/**
 * Downloads what the machine does not have by apt, with its own sources and checks, and unpacks it below `directory`;
 * gives the folder that has it. Installing would run the packages' scripts, which start a Docker daemon for the whole
 * machine and change its firewall.
 */
export async function unpackDebs(
  commands: Commands,
  directory: string,
  packages: readonly string[],
): Promise<string> {
  const debs = join(directory, "debs");
  const root = join(directory, "root");
  await mkdir(join(debs, "partial"), { recursive: true });
  const download = (settings: readonly string[]) =>
    commands.run(
      [
        "apt-get",
        "install",
        "--yes",
        "--download-only",
        "--no-install-recommends",
        ...["-o", "Debug::NoLocking=1", "-o", `Dir::Cache::archives=${debs}`],
        ...settings,
        ...packages,
      ],
      { timeoutMs: DOWNLOAD_MS },
    );
  try {
    await download([]);
  } catch {
    // The machine's lists may name versions that are gone. Its own stay as they are: new ones go with the directory.
    const lists = await freshLists(commands, directory);
    await download(lists);
  }
  await unpackAll(commands, debs, root);
  return root;
}

/** What the engine's test needs, with the environment to run it. */
export async function unpackPackages(commands: Commands, directory: string): Promise<Packages> {
  const root = await unpackDebs(commands, directory, PACKAGES);
  await mkdir(join(directory, "bin"));
  await linkTables(root, join(directory, "bin"));
  await wrapCompose(root, join(directory, "bin"));
  await mkdir(join(directory, "docker-config"));
  return { env: environment(directory, root) };
}

async function freshLists(
  commands: Commands,
  directory: string,
  sources: readonly string[] = [],
): Promise<string[]> {
  const lists = join(directory, "lists");
  await mkdir(join(lists, "partial"), { recursive: true });
  const settings = [...sources, "-o", `Dir::State::lists=${lists}`];
  // The caches are of other lists.
  settings.push("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "Debug::NoLocking=1");
  await commands.run(["apt-get", ...settings, "update"], { timeoutMs: DOWNLOAD_MS });
  return settings;
}

async function unpackAll(commands: Commands, debs: string, root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  for (const name of await readdir(debs))
    if (name.endsWith(".deb")) await commands.run(["dpkg-deb", "-x", join(debs, name), root]);
}

/** Which of its kinds `iptables` means, a package's script decides, which did not run. */
async function linkTables(root: string, bin: string): Promise<void> {
  const program = join(root, "usr/sbin/xtables-nft-multi");
  if (!existsSync(program)) return;
  for (const family of ["iptables", "ip6tables"])
    for (const name of [family, `${family}-save`, `${family}-restore`])
      await symlink(program, join(bin, name));
}

/** Compose 1.29 is a script that names the system's Python, which is unpacked too where the system has none. */
async function wrapCompose(root: string, bin: string): Promise<void> {
  const program = join(root, "usr/bin/docker-compose");
  if (!existsSync(program)) return;
  const python = ["/usr/bin/python3", join(root, "usr/bin/python3")].find((path) => existsSync(path));
  await writeFile(
    join(bin, "docker-compose"),
    `#!/bin/sh\nexec "${python ?? "python3"}" "${program}" "$@"\n`,
    { mode: 0o755 },
  );
}

/** Where Debian has the libraries of this machine's kind, below its root. */
const libraries = `usr/lib/${{ x64: "x86_64", arm64: "aarch64" }[process.arch as string] ?? process.arch}-linux-gnu`;

/** Where unpacked programs find unpacked libraries. */
export const libraryPath = (root: string): string =>
  [libraries, libraries.replace("usr/", "")].map((path) => join(root, path)).join(":");

function environment(directory: string, root: string): NodeJS.ProcessEnv {
  const below = (...paths: string[]): string => paths.map((path) => join(root, path)).join(":");
  const system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return {
    ...process.env,
    PATH: `${join(directory, "bin")}:${below("usr/sbin", "usr/bin", "sbin", "bin")}:${system}`,
    LD_LIBRARY_PATH: libraryPath(root),
    PYTHONPATH: below("usr/lib/python3/dist-packages"),
    DEBIAN_FRONTEND: "noninteractive",
    // Where the machine has the package itself, nothing was unpacked, and the built-in places are right.
    ...(existsSync(join(root, libraries, "xtables"))
      ? { XTABLES_LIBDIR: join(root, libraries, "xtables") }
      : {}),
    ...(existsSync(join(root, "usr/share/debootstrap"))
      ? { DEBOOTSTRAP_DIR: join(root, "usr/share/debootstrap") }
      : {}),
    DOCKER_CONFIG: join(directory, "docker-config"),
  };
}

/** Puts a Compose v2 where the docker command of `env` finds it, as its plugin. */
export async function addComposeV2(
  commands: Commands,
  directory: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const place = join(directory, "v2");
  const debs = join(place, "debs");
  const sources = join(place, "debian.sources");
  await mkdir(debs, { recursive: true });
  await writeFile(
    sources,
    `Types: deb\nURIs: http://deb.debian.org/debian\nSuites: ${SUITE_OF_COMPOSE_V2}\nComponents: main\nSigned-By: ${KEYRING}\n`,
  );
  const only = ["-o", `Dir::Etc::sourcelist=${sources}`, "-o", "Dir::Etc::sourceparts=/dev/null"];
  const settings = await freshLists(commands, place, only);
  await commands.run(["apt-get", ...settings, "download", "docker-compose"], {
    cwd: debs,
    timeoutMs: DOWNLOAD_MS,
  });
  await unpackAll(commands, debs, join(place, "root"));
  const plugins = join(env["DOCKER_CONFIG"] ?? "", "cli-plugins");
  await mkdir(plugins, { recursive: true });
  await symlink(
    join(place, "root/usr/libexec/docker/cli-plugins/docker-compose"),
    join(plugins, "docker-compose"),
  );
}
