/** A request that failed: refused by the node (its own code and status), or never answered (status 0). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The node's code, or API_UNREACHABLE, API_TIMEOUT, API_ANSWER_INVALID. */
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;
  constructor(
    code: string,
    status: number,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = status;
    this.details = options.details ?? {};
  }
}

/** What stands behind fetch's "fetch failed". */
export function networkReason(error: unknown): string {
  const { cause, message } = error as Error & {
    cause?: { code?: string; message?: string; errors?: { code?: string }[] };
  };
  const code = cause?.code ?? cause?.errors?.[0]?.code;
  if (code === "ECONNREFUSED") return "connection refused";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "the host name is not known";
  return cause?.message || code || message;
}
