import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CHILD = fileURLToPath(new URL("../support/mdns-child.ts", import.meta.url));
const ADDRESS = "10.83.0.1";
/** A network of one machine: nothing that is multicast in it is heard outside. */
const OWN_NETWORK = [
  "ip link set lo up",
  "ip link add local0 type veth peer name local1",
  `ip addr add ${ADDRESS}/24 dev local0`,
  "ip link set local1 up",
  "ip link set local0 up multicast on",
  "ip route add 224.0.0.0/4 dev local0",
].join(" && ");

/** Why there can be no network of our own here; false where there can be one. */
function obstacle(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "a network of its own takes root on Linux";
  try {
    execFileSync("unshare", ["-n", "sh", "-c", OWN_NETWORK], { stdio: "ignore" });
    return false;
  } catch {
    return "this root may make no network namespace, or has no ip command";
  }
}

test("nodes of one chain with --mdns meet on the local network; others are neither found nor looked for", {
  skip: obstacle(),
}, async () => {
  const script = `${OWN_NETWORK} && exec "$0" "$@"`;
  const child = [process.execPath, "--disable-warning=ExperimentalWarning", CHILD, ADDRESS];
  const { stdout } = await promisify(execFile)("unshare", ["-n", "sh", "-c", script, ...child], {
    timeout: 120_000,
  });
  const { met, left, names, ended, warnings, known } = JSON.parse(stdout);
  assert.deepEqual([met.first, met.second], [[names.second], [names.first]]);
  assert.deepEqual(left, { quiet: [], stranger: [] });
  assert.deepEqual(ended, { code: 0, signal: null });
  assert.deepEqual(warnings, []);
  // What 200 forged answers leave: one teller's places, and nothing but private addresses.
  const invented = known.filter((line: string) => line.startsWith("mdns /ip4/10.84."));
  assert.ok(invented.length > 0 && invented.length <= 64, `${invented.length} invented peers are known`);
  assert.deepEqual(
    known.filter((line: string) => !invented.includes(line) && !line.includes(`/ip4/${ADDRESS}/`)),
    [],
  );
});
