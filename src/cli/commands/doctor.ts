import type { Command } from "commander";
import type { Finding, Severity } from "../../api/index.ts";
import {
  type ConnectionOptions,
  connected,
  DEFAULT_API,
  dataDirectory,
  type JsonOption,
  locateNode,
} from "../connection.ts";
import { EXIT, usageError } from "../failure.ts";
import { countOf, printJson, printLine, style } from "../output.ts";
import { path } from "../values.ts";

interface DoctorOptions extends ConnectionOptions, JsonOption {
  readonly dir?: string;
}

interface Diagnosis {
  /** What was looked at: a node's API, its directory, or a cluster's. */
  readonly subject: string;
  readonly findings: readonly (Finding & { readonly node?: number | null })[];
  readonly checked: readonly string[];
}

/** A node is asked for a second or two; one that is paused never answers. */
const ASK_MS = 10_000;
const COLOURS: Readonly<Record<Severity, "red" | "yellow" | "dim">> = {
  problem: "red",
  warning: "yellow",
  note: "dim",
};

async function diagnoseNode(options: DoctorOptions): Promise<Diagnosis> {
  const { lookAtDirectory, lookAtSilence, OUTSIDE_FINDINGS } = await import("../doctor-outside.ts");
  const { ApiError, createClient } = await import("../../client/index.ts");
  const data = options.api === undefined ? dataDirectory(options) : undefined;
  const checked = [...OUTSIDE_FINDINGS];
  if (data !== undefined) {
    const outside = await lookAtDirectory(data, Number(new URL(DEFAULT_API).port));
    if (outside.length > 0) return { subject: data, findings: outside, checked };
  }
  const located = await locateNode(options);
  try {
    const answer = await createClient({ ...located, timeoutMs: ASK_MS }).doctor();
    return { subject: located.url, findings: answer.findings, checked: [...checked, ...answer.checked] };
  } catch (error) {
    if (!(error instanceof ApiError) || (error.status !== 0 && error.code !== "API_ANSWER_INVALID"))
      throw error;
    return { subject: located.url, findings: await lookAtSilence(data, located.url, error.code), checked };
  }
}

export async function diagnoseDirectory(dir: string): Promise<Diagnosis> {
  const { diagnoseCluster } = await import("../../cluster/index.ts");
  const { NODE_FINDINGS } = await import("../../api/index.ts");
  const { findings, checked } = await diagnoseCluster(dir);
  return { subject: dir, findings, checked: [...checked, ...NODE_FINDINGS] };
}

/** Whose finding it is, where its sentence does not begin with that. */
const nodeOf = ({ node, summary }: Diagnosis["findings"][number]): string =>
  node === undefined || node === null || summary.startsWith(`node ${node} `) ? "" : `node ${node}: `;

/** Prints what was found; the exit code says whether a problem was among it. */
export function tellDiagnosis({ subject, findings, checked }: Diagnosis, json: boolean): void {
  const problems = findings.filter(({ severity }) => severity === "problem").length;
  if (problems > 0) process.exitCode = EXIT.failed;
  if (json) {
    printJson({ subject, problems, findings, checked });
    return;
  }
  for (const one of findings) {
    const { code, severity, summary, advice } = one;
    printLine(`${style(COLOURS[severity], severity.padEnd(7))}  ${nodeOf(one)}${summary} (${code})`);
    printLine(`         ${style("dim", "do:")} ${advice}`);
  }
  const others = findings.length - problems;
  const rest = others === 0 ? "" : `, ${countOf(others, "other finding")}`;
  printLine(
    problems === 0
      ? `no problems with ${subject}${rest}; ${checked.length} things were looked at`
      : `${countOf(problems, "problem")} with ${subject}${rest}`,
  );
}

export function addDoctor(program: Command): void {
  connected(program.command("doctor"))
    .description("why a node or a cluster is stuck, alone or on another branch, and what to do")
    .option("--dir <dir>", "look at all nodes of the cluster in this directory instead", path)
    .addHelpText(
      "after",
      "\nWorks on a stopped node too (--data DIR). Exit code 0: no problems, 1: problems found.\ndocs/operations.md has all findings.\n\nExample:\n  cumulo doctor --data ./node1\n  cumulo doctor --dir ./.cumulo-cluster --json",
    )
    .action(async (options: DoctorOptions) => {
      const { dir, api, data } = options;
      if (dir !== undefined && (api !== undefined || data !== undefined))
        throw usageError("--dir names a cluster, --api and --data a node; give one of them");
      tellDiagnosis(
        dir === undefined ? await diagnoseNode(options) : await diagnoseDirectory(dir),
        options.json === true,
      );
    });
}
