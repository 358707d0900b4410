import { EXIT, onLostOutput, report } from "./failure.ts";
import { run } from "./program.ts";

onLostOutput((error) =>
  process.exit(error === undefined ? EXIT.ok : report(error, process.argv.includes("--json"))),
);

process.exitCode = await run(process.argv.slice(2));
// The command is done; a socket or thread that a library still holds must not keep the prompt away.
setTimeout(() => process.exit(), 500).unref();
