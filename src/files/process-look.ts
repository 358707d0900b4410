import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";

const PS_MS = 5_000;

export interface ProcessLook {
  /** When it started, in whatever form this system tells it. */
  readonly started: string;
  /** Stopped by a signal, SIGSTOP say. */
  readonly isPaused: boolean;
}

/** What /proc says of a process; undefined where there is none. */
export async function lookOnLinux(pid: number): Promise<ProcessLook | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    // ESRCH: it ended between the opening and the reading.
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
  // Fields after the command's name, which may itself contain spaces and brackets: state is the first, start the 20th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", started = ""] = [fields[0], fields[19]];
  return state === "Z" || state === "X" ? undefined : { started, isPaused: state === "T" };
}

/** What `ps` says of a process in one column; undefined where there is none. */
export function askPs(pid: number, column: string, ps = "ps"): Promise<string | undefined> {
  // In one language and time zone: whoever asks later may have others, and the texts are compared.
  const options = { timeout: PS_MS, env: { ...process.env, LC_ALL: "C", TZ: "UTC" } };
  return new Promise((resolve, reject) => {
    execFile(ps, ["-o", `${column}=`, "-p", String(pid)], options, (error, stdout, stderr) => {
      const answer = stdout.trim();
      if (error === null && answer !== "") resolve(answer);
      // How ps says that there is no such process; anything else is a failure of its own.
      else if (error?.code === 1 && answer === "" && stderr === "") resolve(undefined);
      else if (error?.killed === true) reject(new Error(`ps did not answer within ${PS_MS} ms`));
      else reject(new Error(`ps failed (${error?.code ?? "it wrote nothing"})`));
    });
  });
}

/**
 * When a process started; undefined where there is none. With the number it names one process: numbers are used again,
 * the pair is not. Rejects where that cannot be told.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  return process.platform === "linux" ? (await lookOnLinux(pid))?.started : askPs(pid, "lstart");
}
