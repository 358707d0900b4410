import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { type ConnectionOptions, connected, type JsonOption, locateNode } from "../connection.ts";
import { type CliError, usageError } from "../failure.ts";
import { printJson, printLine } from "../output.ts";
import { path } from "../values.ts";
import { DEFAULT_DIR, open as openCluster } from "./cluster/shared.ts";

interface Options extends ConnectionOptions, JsonOption {
  readonly dir?: string;
  readonly open?: boolean;
}

interface Place {
  readonly url: string;
  readonly token?: string;
}

/** The cluster in the usual directory, if one runs there. */
async function usualCluster(): Promise<Place | undefined> {
  return openCluster({ dir: DEFAULT_DIR }).catch((error: unknown) => {
    if ((error as CliError).code === "CLUSTER_NOT_RUNNING") return undefined;
    throw error;
  });
}

async function locate(options: Options): Promise<Place> {
  const { dir, api, data, tokenFile } = options;
  const namesNode = [api, data, tokenFile].some((each) => each !== undefined);
  if (dir !== undefined) {
    if (namesNode) throw usageError("--dir names a cluster, --api, --data and --token-file a node; give one");
    return openCluster({ dir });
  }
  const isNamed = namesNode || process.env["CUMULO_API"] || process.env["CUMULO_DATA"];
  return (isNamed ? undefined : await usualCluster()) ?? (await locateNode(options));
}

/** Fails where nobody answers there, as every command does; a supervisor answers for its cluster. */
async function checkAnswers(place: Place): Promise<void> {
  const { createClient } = await import("../../client/index.ts");
  if (!("directory" in place)) await createClient({ ...place, timeoutMs: 5_000 }).status();
}

/** How long a browser may take to read the file that sends it on. */
const OPEN_MS = 5_000;

/**
 * The system's own way to show an address. The token must stand on no command line, which every user of the machine can
 * read, so the browser is given a file of ours that sends it on, for as long as that takes. Its failure is no failure of
 * ours: the address is printed too.
 */
async function openBrowser(address: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "cumulo-open-"));
  try {
    const file = join(directory, "dashboard.html");
    const text = `<!doctype html><meta http-equiv="refresh" content="0; url=${address}"><title>Cumulo</title>\n`;
    await writeFile(file, text, { mode: 0o600 });
    const program = process.platform === "darwin" ? "open" : "xdg-open";
    const child = spawn(program, [file], { stdio: "ignore", detached: true });
    const failed = new Promise<boolean>((resolve) => child.once("error", () => resolve(true)));
    child.unref();
    const isFailed = await Promise.race([failed, sleep(OPEN_MS, false)]);
    if (isFailed) process.stderr.write(`cumulo: cannot run ${program}; open the address by hand\n`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function dashboard(options: Options): Promise<void> {
  const place = await locate(options);
  await checkAnswers(place);
  // In the fragment, which browsers send to nobody: the token is in no request line and in no log.
  const address = `${place.url}/${place.token === undefined ? "" : `#token=${encodeURIComponent(place.token)}`}`;
  if (options.json) printJson({ url: address, controls: place.token !== undefined });
  else {
    printLine(address);
    if (place.token === undefined)
      process.stderr.write(
        "cumulo: no token is known for it (--data DIR or --token-file FILE), so the page shows and changes nothing\n",
      );
  }
  if (options.open) await openBrowser(address);
}

export function addDashboard(program: Command): void {
  connected(program.command("dashboard"))
    .description("the address of the page that shows a node or a cluster, with the right to change it")
    .option("--dir <dir>", `a cluster's directory (default: ${DEFAULT_DIR}, if one runs there)`, path)
    .option("--open", "open it in a browser too")
    .addHelpText(
      "after",
      "\nWho has the address may change the node or the cluster: it holds the token.\n\nExamples:\n  cumulo dashboard --open\n  cumulo dashboard --data ./node1",
    )
    .action(dashboard);
}
