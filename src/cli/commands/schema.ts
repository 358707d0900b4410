import type { Command } from "commander";
import { usageError } from "../failure.ts";
import { printLine } from "../output.ts";
import { quoted } from "../values.ts";

/** Where this draft of JSON Schema is defined. */
const DRAFT = "https://json-schema.org/draft/2020-12/schema";

async function show(words: readonly string[]): Promise<void> {
  const { JSON_ERROR, JSON_OUTPUTS } = await import("../json-schemas.ts");
  const name = words.join(" ");
  if (name === "") return printLine([...Object.keys(JSON_OUTPUTS), "error"].join("\n"));
  const output = name === "error" ? { schema: JSON_ERROR } : JSON_OUTPUTS[name];
  if (output === undefined)
    throw usageError(`no command ${quoted(name)} prints JSON; "cumulo schema" lists those that do`);
  const title = name === "error" ? "an error, on standard error" : `cumulo ${name} --json`;
  const each = "isStream" in output && output.isStream ? { $comment: "one value a line" } : {};
  printLine(JSON.stringify({ $schema: DRAFT, title, ...each, ...output.schema }, undefined, 2));
}

export function addSchema(program: Command): void {
  program
    .command("schema")
    .description(
      "print the JSON Schema of what a command prints with --json; without a command: which there are",
    )
    .argument("[command...]", 'its words, such as: account, or cluster status; "error" for errors')
    .addHelpText("after", "\nExamples:\n  cumulo schema\n  cumulo schema cluster status")
    .action(show);
}
