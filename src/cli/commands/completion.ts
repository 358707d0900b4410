import type { Command } from "commander";
import { usageError } from "../failure.ts";
import { printLine } from "../output.ts";
import { path as filePath } from "../values.ts";

/** What may follow one command. */
interface Place {
  /** Its words, apart by spaces; empty for `cumulo` alone. */
  readonly path: string;
  readonly commands: readonly Command[];
  /** Its argument is a file: names of files come where no option is begun. */
  readonly takesFile: boolean;
  readonly options: readonly { readonly name: string; readonly takesValue: boolean; readonly help: string }[];
}

function placesOf(command: Command, path: readonly string[] = []): Place[] {
  const options = command.options.flatMap(({ long, required, optional, description }) =>
    long === undefined || long === null
      ? []
      : [{ name: long, takesValue: required || optional, help: description }],
  );
  const takesFile = command.registeredArguments.some(({ parseArg }) => parseArg === filePath);
  const own = { path: path.join(" "), commands: command.commands, takesFile, options };
  return [own, ...command.commands.flatMap((sub) => placesOf(sub, [...path, sub.name()]))];
}

const HELP = { name: "--help", takesValue: false, help: "display help for command" };
const withHelp = ({ options }: Place): Place["options"] => [...options, HELP];
const valueOptions = ({ options }: Place): string =>
  options
    .filter(({ takesValue }) => takesValue)
    .map(({ name }) => name)
    .join(" ");

/**
 * After an option that takes a value come files, as in any other place where we know no words. No variable may be called
 * `path` or `words`: they are zsh's own.
 */
function bash(places: readonly Place[]): string {
  const cases = places.map((place) => {
    const offered = [...place.commands.map((sub) => sub.name()), ...withHelp(place).map(({ name }) => name)];
    return `    "${place.path}") offered="${offered.join(" ")}" values=" ${valueOptions(place)} "${place.takesFile ? " file=yes" : ""} ;;`;
  });
  return `_cumulo() {
  local known="|${places.map(({ path }) => path).join("|")}|"
  local at="" offered="" values="" file="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    [[ "$known" == *"|\${at:+$at }$word|"* ]] && at="\${at:+$at }$word"
  done
  case "$at" in
${cases.join("\n")}
  esac
  COMPREPLY=()
  [[ "$values" == *" \${COMP_WORDS[COMP_CWORD-1]} "* ]] && return
  [[ -n "$file" && "\${COMP_WORDS[COMP_CWORD]}" != -* ]] && return
  COMPREPLY=($(compgen -W "$offered" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _cumulo cumulo`;
}

/** Through bash's function, which zsh can call. */
const zsh = (places: readonly Place[]): string => `autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
${bash(places)}`;

const fishWord = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function fish(places: readonly Place[]): string {
  const known = places.map(({ path }) => fishWord(path)).join(" ");
  const lines = places.flatMap((place) => {
    const at = `complete -c cumulo -n ${fishWord(`__cumulo_at "${place.path}"`)}`;
    return [
      ...place.commands.map((sub) => `${at} -f -a ${sub.name()} -d ${fishWord(sub.description())}`),
      ...withHelp(place).map(
        ({ name, takesValue, help }) =>
          `${at} -l ${name.slice(2)}${takesValue ? " -r" : ""} -d ${fishWord(help)}`,
      ),
    ];
  });
  return `function __cumulo_at
  set -l path ""
  for word in (commandline -opc)[2..-1]
    set -l longer (string trim -- "$path $word")
    contains -- "$longer" ${known}; and set path "$longer"
  end
  test "$path" = "$argv[1]"
end
${lines.join("\n")}`;
}

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a completion script for a shell")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText(
      "after",
      "\nExamples:\n  source <(cumulo completion bash)\n  cumulo completion fish > ~/.config/fish/completions/cumulo.fish",
    )
    .action((shell: string) => {
      const places = placesOf(program);
      if (shell === "bash") return printLine(bash(places));
      if (shell === "zsh") return printLine(zsh(places));
      if (shell === "fish") return printLine(fish(places));
      throw usageError(`the shell must be bash, zsh or fish, not "${shell}"`);
    });
}
