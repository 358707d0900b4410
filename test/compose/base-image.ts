import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Commands } from "./commands.ts";

/** The image that the Dockerfile begins with. */
export const BASE_IMAGE = "node:24-bookworm-slim";
const SUITE = "bookworm";
/** Close to the npm of that image. */
const NPM = "npm@11.19.1";
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
const BOOTSTRAP_MS = 300_000;

export interface BaseImageOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Put before commands that mount something and must not outlive us. */
  readonly inside: readonly string[];
  /** A directory to work in. */
  readonly directory: string;
  /** What the image is to be called. */
  readonly tag: string;
}

/**
 * Makes a stand-in for the official image, where no registry of images can be reached: Debian's minimal system, the Node
 * that runs this test, npm, and the user `node`.
 */
export async function makeBaseImage(commands: Commands, options: BaseImageOptions): Promise<void> {
  const { env, inside, directory, tag } = options;
  const root = join(directory, "image");
  // An image that is thrown away need not be on disk after each package.
  await mkdir(join(root, "etc/dpkg/dpkg.cfg.d"), { recursive: true });
  await writeFile(join(root, "etc/dpkg/dpkg.cfg.d/unsafe-io"), "force-unsafe-io\n");
  const bootstrap = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, root];
  await commands.run([...inside, ...bootstrap, await mirror(commands, env)], {
    env,
    timeoutMs: BOOTSTRAP_MS,
  });
  await commands.run(
    [...inside, "chroot", root, "/usr/sbin/useradd", "--uid", "1000", "--create-home", "node"],
    { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } },
  );
  await addNode(commands, directory, root);
  // A machine behind a proxy that opens TLS has that proxy's certificate among its own.
  const settings = await npmSettings(commands);
  await copyFile(settings.cafile, join(root, CERTIFICATES));
  await mkdir(join(root, "usr/local/etc"), { recursive: true });
  await writeFile(
    join(root, "usr/local/etc/npmrc"),
    `registry=${settings.registry}\ncafile=${CERTIFICATES}\n`,
  );
  const archive = join(directory, "image.tar");
  const without = ["./var/cache/apt/archives/*", "./var/lib/apt/lists/*"].map((path) => `--exclude=${path}`);
  await commands.run(["tar", "-C", root, ...without, "-cf", archive, "."]);
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  await commands.run(["docker", "import", "--change", `ENV ${path}`, archive, tag], {
    env,
    timeoutMs: 120_000,
  });
  await rm(archive);
  await commands.run([...inside, "rm", "-rf", "--one-file-system", root], { env });
}

/** Where this machine gets Debian from. */
async function mirror({ run }: Commands, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"], { env });
  const places = stdout.split("\n").map((line) => line.split(" "));
  const known = places.find(([place = "", suite]) => suite === SUITE && /^https?:.*\/debian\/?$/.test(place));
  return known?.[0] ?? "http://deb.debian.org/debian";
}

async function addNode({ run }: Commands, directory: string, root: string): Promise<void> {
  await copyFile(process.execPath, join(root, "usr/local/bin/node"));
  const { stdout } = await run(["npm", "pack", "--silent", NPM], { cwd: directory });
  const place = join(root, "usr/local/lib/node_modules/npm");
  await mkdir(place, { recursive: true });
  await run(["tar", "-xzf", join(directory, stdout.trim()), "--strip-components=1", "-C", place]);
  const target = "../lib/node_modules/npm/bin/npm-cli.js";
  await run(["ln", "-s", target, join(root, "usr/local/bin/npm")]);
}

async function npmSettings({ run }: Commands): Promise<{ registry: string; cafile: string }> {
  const get = async (name: string): Promise<string> =>
    (await run(["npm", "config", "get", name])).stdout.trim();
  const asked = await get("cafile");
  const candidates = [asked, process.env["NODE_EXTRA_CA_CERTS"] ?? "", CERTIFICATES];
  for (const cafile of candidates)
    if (await readFile(cafile).then(Boolean, () => false)) return { registry: await get("registry"), cafile };
  throw new Error(`no certificates were found in ${CERTIFICATES}; install ca-certificates`);
}
