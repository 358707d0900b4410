import type { Command } from "commander";
import type { JsonOption } from "../connection.ts";
import { nodeFlags } from "../connection.ts";
import { printJson, printLine, table } from "../output.ts";
import { path } from "../values.ts";

interface Options extends JsonOption {
  readonly data?: string;
}

export function addKey(program: Command): void {
  const key = program
    .command("key")
    .description("keys in a node's data directory (unencrypted, readable by you only)");
  key
    .command("new")
    .description("make a key")
    .argument("<name>", "a-z, 0-9, - and _, at most 64")
    .option("--data <dir>", "the data directory (or CUMULO_DATA)", path)
    .addHelpText("after", "\nExample:\n  cumulo key new alice --data ./node1")
    .action(async (name: string, options: Options) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const { address } = await (await openKeyStore(options, { makes: true })).create(name);
      if (options.json) printJson({ name, address });
      else printLine(`${name}  ${address}`);
    });
  key
    .command("list")
    .description("names and addresses of all keys")
    .option("--data <dir>", "the data directory (or CUMULO_DATA)", path)
    .addHelpText("after", "\nExample:\n  cumulo key list --data ./node1")
    .action(async (options: Options) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const keys = await (await openKeyStore(options)).list();
      if (options.json) return printJson(keys);
      if (keys.length === 0)
        return printLine(`no keys yet; make one with: cumulo key new NAME${nodeFlags(options)}`);
      printLine(
        await table(
          ["NAME", "ADDRESS"],
          keys.map(({ name, address }) => [name, address]),
        ),
      );
    });
}
