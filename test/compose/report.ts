/** Prints checks as they are made, and counts them. */
export interface Report {
  section(title: string): void;
  note(text: string): void;
  /** Several lines that a reader wants to see, indented. */
  show(text: string): void;
  /** Makes a check; what it returns is printed with it. Throws what it throws, once that is printed. */
  check(sentence: string, make: () => Promise<string | undefined>): Promise<void>;
  readonly passed: number;
  readonly failed: number;
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

export function createReport(write: (line: string) => void): Report {
  let passed = 0;
  let failed = 0;
  let section = 0;
  return {
    section(title) {
      section++;
      write(`\n${section}. ${title}`);
    },
    note: (text) => write(`   ${text}`),
    show: (text) => write(text.trimEnd().replace(/^/gm, "     | ")),
    async check(sentence, make) {
      const begunMs = performance.now();
      try {
        const detail = await make();
        passed++;
        const took = seconds(performance.now() - begunMs);
        write(`   ok ${sentence}${detail === undefined ? "" : `: ${detail}`} (${took})`);
      } catch (error) {
        failed++;
        write(`   FAILED ${sentence} (${seconds(performance.now() - begunMs)})`);
        write(`     ${describe(error).replaceAll("\n", "\n     ")}`);
        throw new CheckFailed(sentence, { cause: error });
      }
    },
    get passed() {
      return passed;
    },
    get failed() {
      return failed;
    },
  };
}

/** A check failed and was printed. */
export class CheckFailed extends Error {
  override readonly name = "CheckFailed";
}

/** An error and what caused it. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\nbecause: ${describe(error.cause)}`;
}
