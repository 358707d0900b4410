import { run } from "./program.ts";

// `cumulo watch | head` ends our output early; that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

process.exitCode = await run(process.argv.slice(2));
// The command is done; a socket or thread that a library still holds must not keep the prompt away.
setTimeout(() => process.exit(), 500).unref();
