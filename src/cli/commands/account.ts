import type { Command } from "commander";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { fields, printJson, printLine } from "../output.ts";

type Options = ConnectionOptions & JsonOption;

export function addAccount(program: Command): void {
  connected(program.command("account"))
    .description("balance and nonce of an account")
    .argument("<address>", "cum1... or the name of a key in --data")
    .addHelpText("after", "\nExample:\n  cumulo account alice --data ./node1")
    .action(async (name: string, options: Options) => {
      const { resolveAddress } = await import("../key-lookup.ts");
      const address = await resolveAddress(name, options);
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
