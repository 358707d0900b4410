import type { LabEvents, Report, Scenario, Step, StepResult } from "../../../cluster/index.ts";
import { countOf, formatDuration, shortId, style, table } from "../../output.ts";

const seconds = (timeMs: number): string => `${(timeMs / 1_000).toFixed(1).padStart(6)} s`;
const isSaying = (step: Pick<Step, "text">): boolean => step.text.startsWith("say ");

/** A line on the error output that the next one replaces; only on a terminal. */
function createStatusLine(): (text: string) => void {
  const { stderr } = process;
  if (stderr.isTTY !== true) return () => {};
  return (text) => {
    const width = Math.max(20, (stderr.columns ?? 80) - 1);
    stderr.write(`\r\x1b[K${text.slice(0, width)}`);
  };
}

function stepLine({ result, startedMs, durationMs, text, detail }: StepResult): string {
  if (text.startsWith("say ")) return `\n${style("bold", text.slice(4))}`;
  const mark = result === "done" ? style("green", "ok  ") : style("red", "FAIL");
  const took = durationMs === null ? "" : style("dim", ` (${formatDuration(durationMs)})`);
  const told = detail === null ? "" : `: ${result === "done" ? style("dim", detail) : detail}`;
  return `${seconds(startedMs ?? 0)}  ${mark}  ${text}${told}${took}`;
}

/** Tells a run while it happens. */
export function createTeller(scenario: Scenario): LabEvents {
  const status = createStatusLine();
  process.stdout.write(`${style("bold", scenario.name)}\n${scenario.about}\n`);
  status(`starting ${countOf(scenario.nodes.length - scenario.late.length, "node")} ...`);
  let present = "";
  return {
    started: () => status(""),
    stepStarted(step) {
      present = step.text;
      if (!isSaying(step)) status(`${present} ...`);
    },
    looked: (actual) => status(`${present} ... ${actual}`),
    stepEnded(result) {
      status("");
      process.stdout.write(`${stepLine(result)}\n`);
    },
  };
}

const OUTCOMES: Readonly<Record<Report["outcome"], string>> = {
  passed: "passed",
  failed: "failed",
  "timed-out": "timed out",
  interrupted: "was interrupted",
};

type Fate = Report["transactions"][number]["nodes"][number];

function fateText({ fate, refusedBy, events }: Fate, nameOf: (id: string) => string): string {
  const at = (what: string): string => {
    const event = events.findLast((one) => one.what === what);
    return event === undefined ? "" : ` at ${new Date(event.timeMs).toISOString().slice(11, 23)}`;
  };
  const rule = refusedBy === null ? "" : ` (refused since by ${refusedBy})`;
  switch (fate.state) {
    case "mined":
      return `mined in ${fate.height} ${shortId(fate.block)}${at("mined")}`;
    case "pending":
      return "pending";
    case "dropped":
      return `dropped by ${fate.rule}${at("dropped")}${rule}`;
    case "conflicted":
      return `conflicted by ${nameOf(fate.by)}${at("conflicted")}${rule}`;
    case "unknown":
      return `never taken here${refusedBy === null ? "" : ` (would be refused by ${refusedBy})`}`;
  }
}

async function transactionTable(report: Report, nodeName: (n: number) => string): Promise<string> {
  const nameOf = (id: string): string =>
    report.transactions.find((one) => one.id === id)?.name ?? shortId(id);
  const rows = report.transactions.flatMap(({ name, id, from, to, nodes }) =>
    nodes.map((one, i) => [
      i === 0 ? name : "",
      i === 0 ? shortId(id) : "",
      i === 0 ? `${from} to ${to}` : "",
      nodeName(one.node),
      fateText(one, nameOf),
    ]),
  );
  return table(["TRANSACTION", "ID", "", "NODE", "FATE"], rows);
}

/** The end of a run: what became of reorgs and transactions, and the result. */
export async function tellReport(scenario: Scenario, report: Report): Promise<string> {
  const nodeName = (n: number): string => scenario.nodes[n - 1] || String(n);
  const parts: string[] = [];
  const reorgs = report.nodes.flatMap(({ n, reorgs: own }) =>
    own.map(({ depth, oldHead, newHead, forkPoint, transactions }) => {
      const fates = ["returned", "mined", "dropped", "conflicted"].flatMap((fate) => {
        const count = transactions.filter((one) => one.fate === fate).length;
        return count === 0 ? [] : [`${count} ${fate}`];
      });
      const block = ({ height, id }: { height: number; id: string }) => `${height} ${shortId(id)}`;
      return [
        nodeName(n),
        String(depth),
        block(oldHead),
        block(newHead),
        String(forkPoint.height),
        fates.join(", "),
      ];
    }),
  );
  if (reorgs.length > 0)
    parts.push(await table(["REORG AT", "DEPTH", "OLD HEAD", "NEW HEAD", "FORK", "TRANSACTIONS"], reorgs));
  if (report.transactions.length > 0) parts.push(await transactionTable(report, nodeName));
  const { sent, mined, pending, dropped, conflicted, unknown } = report.counts;
  if (sent > report.transactions.length)
    parts.push(
      `${sent} transactions sent: ${mined} mined, ${pending} pending, ${conflicted} conflicted, ${dropped} dropped, ${unknown} unknown`,
    );
  const converged = report.convergences.map(
    ({ after, line, timeMs }) => `converged ${formatDuration(timeMs)} after "${after}" (line ${line})`,
  );
  if (converged.length > 0) parts.push(converged.join("\n"));
  const told = report.assertions.filter(({ isTrue }) => isTrue).length;
  const { problem } = report;
  const word = style(report.outcome === "passed" ? "green" : "red", OUTCOMES[report.outcome]);
  const why = problem === null ? "" : `\n${report.file}:${problem.line}: ${problem.message}`;
  const took = formatDuration(report.endedMs - report.startedMs);
  parts.push(
    `${report.name} ${word} in ${took}: ${told} of ${countOf(scenario.steps.filter(({ kind }) => kind === "assertion").length, "assertion")} true, seed ${report.seed}${why}`,
  );
  return `\n${parts.join("\n\n")}`;
}

/** A scenario that is not run: what would happen. */
export function describe(scenario: Scenario): string {
  const steps = scenario.steps.map(({ line, text }) => `${String(line).padStart(5)}  ${text}`);
  const head = `${scenario.name}: ${countOf(scenario.nodes.length, "node")}, ${countOf(steps.length, "step")}; the file is right`;
  return `${head}\n\n LINE  STEP\n${steps.join("\n")}`;
}
