import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { createCommands } from "./commands.ts";

/** What of this machine an engine could have changed. */
export type HostState = Readonly<Record<string, string>>;

const SETTINGS = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"];

/** Rules without their counters and the times of their reading. */
const rules = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, ""))
    .join("\n");

/** Looks at the firewall (with the programs of `env`), forwarding, and bridges of Docker's kind. */
export async function readHostState(env: NodeJS.ProcessEnv): Promise<HostState> {
  const { run } = createCommands();
  const state: Record<string, string> = {};
  for (const program of ["iptables-save", "ip6tables-save"]) {
    const result = await run([program], { env }).catch(() => undefined);
    state[program] = result === undefined ? "not readable" : rules(result.stdout);
  }
  for (const path of SETTINGS) state[path] = (await readFile(path, "utf8").catch(() => "")).trim();
  state["bridges"] = Object.keys(networkInterfaces())
    .filter((name) => /^(docker|br-|tap)/.test(name))
    .join(" ");
  return state;
}

/** What differs, in sentences. */
export function differences(before: HostState, after: HostState): string[] {
  return Object.keys(before)
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name} was ${JSON.stringify(before[name])} and is ${JSON.stringify(after[name])}`);
}
