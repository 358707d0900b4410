import assert from "node:assert/strict";
import { poll } from "./commands.ts";
import type { Scene } from "./scene.ts";

const NAME = "late";
const ADDRESS = `/dns4/${NAME}/tcp/4001`;
/** Backoff grows to 30 s between dials. */
const CONNECT_MS = 90_000;
const LISTENS = ["node", "start", "--data", "/data", "--listen", "/ip4/0.0.0.0/tcp/4001"];

/**
 * A fourth node that dials nobody and is known to node 1 by its name in Docker's DNS: node 1 must go on trying before
 * the name exists, and find it again when the same name means another address, and another node.
 */
export async function checkLateComer({ commands, project, report }: Scene): Promise<void> {
  const image = await project.inspect("node1", "{{.Image}}");
  const container = `${project.name}-${NAME}`;
  const run = (name: string, args: readonly string[]): Promise<string> =>
    project.docker(["run", "--detach", "--label", `cumulo-test=${project.name}`, "--name", name, ...args]);
  const startNode = (): Promise<string> =>
    run(container, ["--network", project.network, "--network-alias", NAME, image, ...LISTENS]);
  const addressOf = (name: string): Promise<string> =>
    project.docker(["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name]);
  const findPeer = async () =>
    (await project.peers("node1")).find(({ address }) => address?.startsWith(ADDRESS));
  const connected = (than?: string): Promise<string> =>
    poll(
      `node 1 is connected to ${ADDRESS}`,
      commands,
      async () => {
        const found = await findPeer();
        return found?.state === "connected" && found.peer !== than && (found.peer ?? undefined);
      },
      CONNECT_MS,
    );

  let first = "";
  let firstAddress = "";
  await report.check(
    "node 1 keeps dialling a name that does not exist yet, and connects when it does",
    async () => {
      await project.text("node1", "peer", "add", ADDRESS);
      const failed = async () => (await findPeer())?.problem ?? undefined;
      const problem = await poll("a dial has failed", commands, failed, 30_000);
      assert.match(problem, /the name is not known/);
      await startNode();
      first = await connected();
      firstAddress = await addressOf(container);
      return firstAddress;
    },
  );
  await report.check("it finds the name again at another address", async () => {
    await project.docker(["rm", "--force", container]);
    // Takes the address that has become free.
    await run(`${container}-other`, ["--network", project.network, "--entrypoint", "sleep", image, "300"]);
    await startNode();
    const secondAddress = await addressOf(container);
    assert.notEqual(secondAddress, firstAddress);
    await connected(first);
    return `${firstAddress}, then ${secondAddress}`;
  });
  await report.check("the network is as before when it has gone", async () => {
    await project.docker(["rm", "--force", container, `${container}-other`]);
    await project.text("node1", "peer", "remove", ADDRESS);
    const isAlone = async () => (await project.status("node1")).peers === 2;
    await poll("node 1 has its two peers", commands, isAlone, 60_000);
    return undefined;
  });
}
