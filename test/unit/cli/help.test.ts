import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Command } from "commander";
import { createProgram } from "../../../src/cli/index.ts";
import { JSON_OUTPUTS } from "../../../src/cli/json-schemas.ts";

interface Named {
  readonly path: string;
  readonly command: Command;
}

const commandsOf = (command: Command, path: readonly string[] = []): Named[] => [
  ...(path.length === 0 ? [] : [{ path: path.join(" "), command }]),
  ...command.commands.flatMap((sub) => commandsOf(sub, [...path, sub.name()])),
];
const all = commandsOf(createProgram());
/** Commands that do something by themselves. */
const doing = all.filter(
  ({ command }) => command.commands.length === 0 || command.registeredArguments.length > 0,
);

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

describe("help", () => {
  for (const { path, command } of all)
    it(`${path}: says what it is for, and what every argument and option is`, () => {
      assert.match(command.description(), /^[a-z"].{7,}[^.]$/, "a sentence without its capital and its dot");
      for (const { description, long } of command.options) assert.match(description, /\S{3,}/, long ?? "");
      for (const argument of command.registeredArguments)
        assert.match(argument.description, /\S{3,}/, argument.name());
    });

  for (const { path, command } of doing)
    it(`${path}: has examples, each of this command and with its own options`, () => {
      const examples = /\nExamples?:\n((?: {2}.+\n?)+)/.exec(helpOf(command))?.[1]?.trim().split("\n") ?? [];
      assert.notEqual(examples.length, 0);
      for (const line of examples) {
        const call = /(?:^|<\()cumulo ([^)>|]*)/.exec(line.trim())?.[1] ?? "";
        assert.ok(`${call.trim()} `.startsWith(`${path} `), line);
        const known = new Set(command.options.flatMap(({ long, short }) => [long, short]));
        for (const [option] of call.matchAll(/(?<= )--?[a-z][a-z-]*/g))
          assert.ok(known.has(option), `${option} in: ${line}`);
      }
    });

  it("every command says by a schema what it prints with --json", () => {
    const printing = doing.filter(({ command }) => command.options.some(({ long }) => long === "--json"));
    assert.deepEqual(printing.map(({ path }) => path).toSorted(), Object.keys(JSON_OUTPUTS).toSorted());
  });
});
