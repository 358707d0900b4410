import type { Command } from "commander";
import type { Client } from "../../client/index.ts";
import type { NamedKey } from "../../keys/index.ts";
import type { SealedTransaction } from "../../primitives/index.ts";
import { type ConnectionOptions, connected, type JsonOption, nodeFlags, openClient } from "../connection.ts";
import { failure, timeoutError, usageError } from "../failure.ts";
import { formatDuration, printJson, printLine, withProgress } from "../output.ts";
import { integer, path, timeOption } from "../values.ts";
import { describeFate } from "./tx.ts";

interface Options extends ConnectionOptions, JsonOption {
  readonly from: string;
  readonly to: string;
  readonly amount: string;
  readonly fee?: string;
  readonly nonce?: number;
  readonly memo?: string;
  readonly wait?: number;
  readonly timeout: number;
  readonly passphraseFile?: string;
}

/** A transfer that is not mined within this many blocks never will be: the sender may then safely try again. */
const EXPIRY_BLOCKS = 1_000;
const POLL_MS = 200;

interface Transfer {
  readonly key: NamedKey;
  readonly to: string;
  readonly amount: number;
  readonly fee: number | undefined;
  /** Undefined: the sender's next. */
  readonly nonce: number | undefined;
  readonly memo: Uint8Array;
}

async function readTransfer(options: Options): Promise<Transfer> {
  const { MAX_MEMO_BYTES } = await import("../../primitives/index.ts");
  const { coins } = await import("../amounts.ts");
  const { openKeyStore, resolveAddress } = await import("../key-lookup.ts");
  const { passphraseSource } = await import("../passphrase.ts");
  const memo = new TextEncoder().encode(options.memo ?? "");
  if (memo.length > MAX_MEMO_BYTES)
    throw usageError(`--memo must be at most ${MAX_MEMO_BYTES} bytes, not ${memo.length}`);
  const amount = coins("--amount", options.amount, 1);
  const fee = options.fee === undefined ? undefined : coins("--fee", options.fee, 0);
  const to = await resolveAddress(options.to, options);
  const passphrase = passphraseSource(options, `the passphrase of ${options.from}`);
  const key = await (await openKeyStore(options)).load(options.from, passphrase);
  return { key, to, amount, fee, nonce: options.nonce, memo };
}

/** Signs the transfer, unless they are given with the sender's next nonce and the least fee the network takes. */
async function signTransfer(client: Client, transfer: Transfer): Promise<SealedTransaction> {
  const { decodeAddress, hexToBytes } = await import("../../primitives/index.ts");
  const { signTransaction } = await import("../../keys/index.ts");
  const [status, genesis, sender, recipient] = await Promise.all([
    client.status(),
    client.genesis(),
    client.account(transfer.key.address),
    client.account(transfer.to),
  ]);
  const sign = (fee: number): SealedTransaction =>
    signTransaction(
      {
        chain: hexToBytes(status.chain),
        sender: transfer.key.publicKey,
        nonce: transfer.nonce ?? sender.nextNonce,
        fee,
        expiry: status.head.height + EXPIRY_BLOCKS,
        action: {
          selector: 0,
          value: {
            to: decodeAddress(transfer.to) as Uint8Array,
            amount: transfer.amount,
            memo: transfer.memo,
          },
        },
      },
      transfer.key,
    );
  if (transfer.fee !== undefined) return sign(transfer.fee);
  const perByte = Number(genesis["minFeePerByte"] ?? 0);
  const creation = recipient.exists ? 0 : Number(genesis["accountCreationFee"] ?? 0);
  return sign(sign(0).bytes.length * perByte + creation);
}

/** Waits until the transaction is `depth` deep; fails when it can no longer be mined. */
async function waitForDepth(
  client: Client,
  id: string,
  { depth, timeoutMs, flags }: { depth: number; timeoutMs: number; flags: string },
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  await withProgress(`waiting for depth ${depth}`, async (update) => {
    for (;;) {
      const { fate } = await client.transaction(id);
      if (fate.state === "mined" && fate.depth >= depth) return;
      if (fate.state === "dropped" || fate.state === "conflicted") {
        throw failure("TRANSACTION_LOST", `${id} will not be mined: ${describeFate(fate)}`, { id, fate });
      }
      update(`waiting for depth ${depth}: ${describeFate(fate)}`);
      if (performance.now() > endMs) {
        const message = `${id} is not ${depth} deep after ${formatDuration(timeoutMs)} (${describeFate(fate)}); it stays in the mempool; more with: cumulo tx ${id}${flags}`;
        throw timeoutError(message, { id, fate });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  });
}

export function addSend(program: Command): void {
  connected(program.command("send"))
    .description("send coins")
    .requiredOption("--from <key>", "name of the sender's key in --data")
    .requiredOption("--to <address>", "cum1... or the name of a key in --data")
    .requiredOption("--amount <coins>", "how much, such as 1.5")
    .option("--fee <coins>", "fee (default: the least the network takes)")
    .option(
      "--nonce <n>",
      "use this one again, to replace a pending transfer by one with a higher --fee",
      integer(0, Number.MAX_SAFE_INTEGER),
    )
    .option("--memo <text>", "up to 64 bytes, public")
    .option(
      "--passphrase-file <file>",
      "opens an encrypted key with its first line; it may be a pipe (default: asked for)",
      path,
    )
    .option("--wait <depth>", "wait until it is mined and so many blocks deep", integer(1, 100_000))
    .addOption(timeOption("--timeout <time>", "how long to wait", "60s"))
    .addHelpText(
      "after",
      "\nExample:\n  cumulo send --from alice --to bob --amount 1.5 --wait 1 --data ./node1",
    )
    .action(async (options: Options) => {
      const transfer = await readTransfer(options);
      const client = await openClient(options);
      const sealed = await signTransfer(client, transfer);
      await client.submit(sealed.bytes);
      if (options.wait !== undefined) {
        const { wait: depth, timeout: timeoutMs } = options;
        await waitForDepth(client, sealed.txid, { depth, timeoutMs, flags: nodeFlags(options) });
      }
      const { fate } =
        options.wait === undefined
          ? { fate: { state: "pending" as const } }
          : await client.transaction(sealed.txid);
      const { nonce, fee } = sealed;
      if (options.json) printJson({ id: sealed.txid, nonce, fee, fate });
      else printLine(`${sealed.txid}  ${describeFate(fate)}`);
    });
}
