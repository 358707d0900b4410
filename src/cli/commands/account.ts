import type { Command } from "commander";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { failure } from "../failure.ts";
import { fields, printJson, printLine } from "../output.ts";

type Options = ConnectionOptions & JsonOption & { readonly proof?: boolean };

async function prove(address: string, options: Options): Promise<void> {
  const proof = await (await openClient(options)).accountProof(address);
  const { provenBlock } = await import("../../client/index.ts");
  if (provenBlock(proof) !== proof.block.id)
    throw failure(
      "PROOF_INVALID",
      `the node's proof of ${address} does not lead to block ${proof.block.id}; do not trust it`,
    );
  if (options.json) return printJson(proof);
  const { formatCoins } = await import("../../primitives/index.ts");
  printLine(
    fields([
      ["address", proof.address],
      ["balance", `${formatCoins(proof.balance)} coins`],
      ["nonce", String(proof.nonce)],
      ["index", `${proof.index} in the list of accounts`],
      ["proven", `by ${proof.siblings.length} hashes that lead to block ${proof.block.height}`],
      ["block", proof.block.id],
    ]),
  );
}

export function addAccount(program: Command): void {
  connected(program.command("account"))
    .description("balance and nonce of an account")
    .argument("<address>", "cum1... or the name of a key in --data")
    .option("--proof", "the account with the hashes that prove it, checked here against the block's id")
    .addHelpText("after", "\nExample:\n  cumulo account alice --data ./node1")
    .action(async (name: string, options: Options) => {
      const { resolveAddress } = await import("../key-lookup.ts");
      const address = await resolveAddress(name, options);
      if (options.proof) return await prove(address, options);
      const account = await (await openClient(options)).account(address);
      if (options.json) return printJson(account);
      const { formatCoins } = await import("../../primitives/index.ts");
      printLine(
        fields([
          ["address", account.address],
          ["balance", `${formatCoins(account.balance)} coins`],
          ["nonce", `${account.nonce} (next ${account.nextNonce}, ${account.pending} pending)`],
          [
            "at",
            `height ${account.head.height}${account.exists ? "" : "; the chain has never seen this account"}`,
          ],
        ]),
      );
    });
}
