import type { LogFields, Logger } from "../../src/ports/index.ts";

export interface LogLine extends LogFields {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
}

/** A logger that keeps its lines for a test to look at. */
export function createRecordingLogger(): Logger & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const make = (bound: LogFields): Logger & { readonly lines: readonly LogLine[] } => {
    const at = (level: LogLine["level"]) => (fields: LogFields, message: string) => {
      lines.push({ ...bound, ...fields, level, message });
    };
    return {
      lines,
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => make({ ...bound, ...fields }),
    };
  };
  return make({});
}
