import type { Command } from "commander";
import { usageError } from "../failure.ts";
import { printLine } from "../output.ts";

interface Words {
  readonly path: string;
  readonly words: readonly string[];
}

/** For every command path, what may follow it. */
function wordsOf(command: Command, path: readonly string[] = []): Words[] {
  const options = command.options.map(({ long }) => long ?? "").filter((long) => long !== "");
  const own = { path: path.join(" "), words: [...command.commands.map((sub) => sub.name()), ...options] };
  return [own, ...command.commands.flatMap((sub) => wordsOf(sub, [...path, sub.name()]))];
}

function bash(lists: readonly Words[]): string {
  const cases = lists.map(({ path, words }) => `    "${path}") words="${words.join(" ")}" ;;`).join("\n");
  return `_cumulo() {
  local path="" word i words=""
  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
    word="\${COMP_WORDS[i]}"
    [[ "$word" == -* ]] && break
    path="\${path:+$path }$word"
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _cumulo cumulo`;
}

function fish(lists: readonly Words[]): string {
  const lines = lists.flatMap(({ path, words }) => {
    const seen =
      path === "" ? "__fish_use_subcommand" : `__fish_seen_subcommand_from ${path.split(" ").at(-1)}`;
    return words.map((word) =>
      word.startsWith("--")
        ? `complete -c cumulo -n '${seen}' -l ${word.slice(2)}`
        : `complete -c cumulo -n '${seen}' -f -a ${word}`,
    );
  });
  return lines.join("\n");
}

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a completion script for a shell")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText("after", "\nExample:\n  source <(cumulo completion bash)")
    .action((shell: string) => {
      const lists = wordsOf(program);
      if (shell === "bash") return printLine(bash(lists));
      if (shell === "zsh") return printLine(`autoload -U +X bashcompinit && bashcompinit\n${bash(lists)}`);
      if (shell === "fish") return printLine(fish(lists));
      throw usageError(`the shell must be bash, zsh or fish, not "${shell}"`);
    });
}
