import { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { addAccount } from "./commands/account.ts";
import { addBackup, addRestore } from "./commands/backup.ts";
import { addBlock } from "./commands/block.ts";
import { addCluster } from "./commands/cluster/index.ts";
import { addCompletion } from "./commands/completion.ts";
import { addDashboard } from "./commands/dashboard.ts";
import { addDb, addReindex } from "./commands/db.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addGenesis } from "./commands/genesis.ts";
import { addKey } from "./commands/key.ts";
import { addMine } from "./commands/mine.ts";
import { addNode } from "./commands/node.ts";
import { addPeer, addPeers } from "./commands/peers.ts";
import { addReorgs } from "./commands/reorgs.ts";
import { addSchema } from "./commands/schema.ts";
import { addSend } from "./commands/send.ts";
import { addStatus } from "./commands/status.ts";
import { addTips } from "./commands/tips.ts";
import { addTx } from "./commands/tx.ts";
import { addWatch } from "./commands/watch.ts";
import { EXIT, report } from "./failure.ts";

const VERSION: string = packageJson.version;

/** Commands at every level behave alike: errors in one line, --json on each that does something. */
function finish(command: Command): void {
  command.exitOverride();
  command.configureOutput({ outputError: () => {} });
  command.helpCommand(false);
  const doesSomething = command.commands.length === 0 || command.registeredArguments.length > 0;
  if (doesSomething && !["completion", "schema"].includes(command.name())) {
    command.option("--json", "print JSON, for programs");
  }
  for (const sub of command.commands) finish(sub);
}

/** The whole command line as commander knows it. Definitions only: whatever is heavy loads when a command runs. */
export function createProgram(): Command {
  const program = new Command("cumulo")
    .description("a peer-to-peer cloud with its own chain, in one daemon")
    .version(VERSION, "-V, --version", "print the version")
    .addHelpText(
      "after",
      "\nExit codes: 0 ok, 1 failed, 2 wrong usage, 3 timed out, 130 interrupted.\nEvery command has --help with an example.",
    );
  const add = [
    addNode,
    addGenesis,
    addStatus,
    addDoctor,
    addPeers,
    addPeer,
    addTips,
    addReorgs,
    addBlock,
    addTx,
    addAccount,
  ];
  for (const addCommand of [
    ...add,
    addKey,
    addSend,
    addMine,
    addWatch,
    addDashboard,
    addCluster,
    addReindex,
    addDb,
    addBackup,
    addRestore,
    addSchema,
    addCompletion,
  ])
    addCommand(program);
  finish(program);
  return program;
}

/** Runs one command line (without node and script) and settles with the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    await program.parseAsync([...argv], { from: "user" });
    // A command may have set a code of its own: a node that failed while it ran.
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return report(error, argv.includes("--json"));
  }
}
