/** What a program on the host sees of published ports; a process of its own, since it may have to run in another network. */
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { fileURLToPath } from "node:url";
import type { Commands } from "./commands.ts";
import type { Engine } from "./engine.ts";

const ANSWER_MS = 10_000;
const REFUSE_MS = 1_000;

export interface HttpProbe {
  readonly kind: "http";
  readonly port: number;
  readonly path: string;
  readonly method?: "GET" | "POST";
  /** The name in the Host header, if another than the address. */
  readonly hostName?: string;
  readonly token?: string;
  readonly json?: unknown;
}
export interface HttpAnswer {
  readonly status: number;
  readonly body: { readonly [key: string]: unknown };
}
/** Which addresses of the host, other than loopback's, take connections to the ports. */
export interface ReachProbe {
  readonly kind: "reach";
  readonly ports: readonly number[];
}
export interface ReachAnswer {
  readonly tried: readonly string[];
  readonly reached: readonly string[];
}

export async function probe<Answer>(
  commands: Commands,
  { inNetwork, env }: Engine,
  what: HttpProbe | ReachProbe,
): Promise<Answer> {
  const command = [...inNetwork, process.execPath, fileURLToPath(import.meta.url), JSON.stringify(what)];
  return JSON.parse((await commands.run(command, { env })).stdout) as Answer;
}

function ask({ port, path, method = "GET", hostName, token, json }: HttpProbe): Promise<HttpAnswer> {
  const headers = {
    ...(hostName === undefined ? {} : { host: `${hostName}:${port}` }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(json === undefined ? {} : { "content-type": "application/json" }),
  };
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, method, headers, timeout: ANSWER_MS };
    const asked = request(options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) as HttpAnswer["body"] }),
      );
    });
    asked.on("error", reject);
    asked.on("timeout", () => asked.destroy(new Error(`no answer in ${ANSWER_MS} ms`)));
    asked.end(json === undefined ? undefined : JSON.stringify(json));
  });
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: REFUSE_MS });
    const settle = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", settle(true)).on("error", settle(false)).on("timeout", settle(false));
  });
}

async function reach({ ports }: ReachProbe): Promise<ReachAnswer> {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    // Link-local ones need the name of their interface with them.
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address);
  const tried = addresses.flatMap((address) => ports.map((port) => `${address} port ${port}`));
  const answers = await Promise.all(
    addresses.flatMap((address) => ports.map((port) => connects(address, port))),
  );
  return { tried, reached: tried.filter((_, i) => answers[i]) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const what = JSON.parse(process.argv[2] ?? "") as HttpProbe | ReachProbe;
  const answer = what.kind === "http" ? await ask(what) : await reach(what);
  process.stdout.write(JSON.stringify(answer));
}
