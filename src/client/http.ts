import { ApiError, networkReason } from "./errors.ts";
import { pause, piecesOf } from "./waiting.ts";

export interface HttpOptions {
  /** Where the API is, without a slash at the end: http://127.0.0.1:7070. */
  readonly url: string;
  /** Bearer token; needed for whatever changes the node. */
  readonly token?: string | undefined;
  /** Deadline of an ordinary request, ms; 10 s by default. Of each try, where there are more than one. */
  readonly timeoutMs?: number;
  /**
   * How long a reading request is tried again while the node is away or has too much to do, ms; default 0: not at all. What
   * changes a node is sent once, whatever happens: it may have been done although the answer was lost.
   */
  readonly retryForMs?: number;
}

export interface RequestOptions {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly timeoutMs?: number;
  /** In place of the client's own; see `HttpOptions`. */
  readonly retryForMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** A page of a thousand full reorg records has some 40 MB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** One request over fetch, its answer as JSON. Every failure but the caller's own abort is an `ApiError`. */
export type Http = <Answer>(path: string, options?: RequestOptions) => Promise<Answer>;

function bodyOf({
  json,
  bytes,
}: RequestOptions): { type: string; body: string | Uint8Array<ArrayBuffer> } | undefined {
  if (bytes !== undefined)
    return { type: "application/octet-stream", body: bytes as Uint8Array<ArrayBuffer> };
  if (json !== undefined) return { type: "application/json", body: JSON.stringify(json) };
  return undefined;
}

/** An answer's text, bounded: whoever answers may be no node. Fails with a `SyntaxError` where it is longer. */
async function readBody(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let total = 0;
  for await (const chunk of piecesOf(response.body)) {
    total += chunk.length;
    if (total > MAX_ANSWER_BYTES) throw new SyntaxError(`more than ${MAX_ANSWER_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** The node's own words for a failure, or ours where a proxy or another program answered. */
export async function errorOf(response: Response, url: string): Promise<ApiError> {
  const text = await readBody(response).catch(() => "");
  try {
    const { code, message, details } = JSON.parse(text) as {
      code?: unknown;
      message?: unknown;
      details?: unknown;
    };
    if (typeof code === "string" && typeof message === "string") {
      return new ApiError(code, response.status, message, {
        details: (details ?? {}) as Record<string, unknown>,
      });
    }
  } catch {
    // Not JSON: not our API.
  }
  const message = `${url} answered ${response.status} and not as a Cumulo node would; is the address right?`;
  return new ApiError("API_ANSWER_INVALID", response.status, message);
}

export function unreachable(url: string, error: unknown): ApiError {
  const message = `no node answers at ${url} (${networkReason(error)}); start one with "cumulo node start --data DIR", or name another with --api URL`;
  return new ApiError("API_UNREACHABLE", 0, message, { cause: error });
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Whether asking again may help: the node is away, or has too much to do; not where it refuses what was asked. */
export const isPassing = ({ status, code }: ApiError): boolean =>
  code !== "API_ANSWER_INVALID" && (status === 0 || status === 429 || status >= 500);

/** What a try again costs nobody: there was no node, or it said to come again. A deadline that passed says neither. */
const mayRetry = (error: unknown): error is ApiError =>
  error instanceof ApiError && (error.code === "API_UNREACHABLE" || [429, 502, 503].includes(error.status));

/** Tries until it succeeds, or fails for another reason, or no time is left; then with the last error. */
async function tried<Answer>(
  run: () => Promise<Answer>,
  retryForMs: number,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const untilMs = performance.now() + retryForMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await run();
    } catch (error) {
      const leftMs = untilMs - performance.now();
      if (!mayRetry(error) || leftMs <= 0) throw error;
      const told = error.details["retryAfterMs"];
      // Half of it by chance, or all that wait for one node would come back at once.
      const waitMs = Math.max(pauseMs * (0.5 + Math.random() / 2), typeof told === "number" ? told : 0);
      if (waitMs > leftMs) throw error;
      await pause(waitMs, signal);
      signal?.throwIfAborted();
    }
  }
}

export function createHttp(options: HttpOptions): Http {
  const { url } = options;
  const authorization: Record<string, string> =
    options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };

  async function once<Answer>(path: string, request: RequestOptions): Promise<Answer> {
    const timeoutMs = request.timeoutMs ?? options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
    const content = bodyOf(request);
    try {
      const response = await fetch(`${url}${path}`, {
        method: request.method ?? "GET",
        headers: { ...authorization, ...(content === undefined ? {} : { "content-type": content.type }) },
        signal,
        redirect: "error",
        ...(content === undefined ? {} : { body: content.body }),
      });
      if (!response.ok) throw await errorOf(response, url);
      const answer: unknown = JSON.parse(await readBody(response));
      // Every answer of a node is an object; what is not comes from another program.
      if (typeof answer !== "object" || answer === null) throw new SyntaxError("not an object");
      return answer as Answer;
    } catch (error) {
      if (error instanceof ApiError) throw error;
      request.signal?.throwIfAborted();
      if (timeout.aborted) {
        const message = `${url}${path} did not answer within ${timeoutMs} ms; the node may be busy, try again`;
        throw new ApiError("API_TIMEOUT", 0, message, { cause: error });
      }
      if (error instanceof SyntaxError) {
        const message = `${url} does not answer in JSON as a Cumulo node would; is the address right?`;
        throw new ApiError("API_ANSWER_INVALID", 200, message, { cause: error });
      }
      throw unreachable(url, error);
    }
  }

  return <Answer>(path: string, request: RequestOptions = {}): Promise<Answer> => {
    const isRead = (request.method ?? "GET") === "GET";
    const retryForMs = isRead ? (request.retryForMs ?? options.retryForMs ?? 0) : 0;
    return tried(() => once<Answer>(path, request), retryForMs, request.signal);
  };
}

/** No node is silent for so long in the middle of an answer. */
const SILENCE_MS = 60_000;

/** One answer as bytes, as they come, however many. Every failure but the caller's own abort is an `ApiError`. */
export async function readBytes(
  options: HttpOptions,
  path: string,
  signal: AbortSignal | undefined,
): Promise<AsyncGenerator<Uint8Array>> {
  const silence = new AbortController();
  let alarm: ReturnType<typeof setTimeout> | undefined;
  const expect = (): void => {
    clearTimeout(alarm);
    alarm = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  const failed = (error: unknown): unknown => {
    clearTimeout(alarm);
    if (error instanceof ApiError) return error;
    if (signal?.aborted) return signal.reason;
    if (!silence.signal.aborted) return unreachable(options.url, error);
    const message = `${options.url}${path} was silent for ${SILENCE_MS} ms; the node may be busy, try again`;
    return new ApiError("API_TIMEOUT", 0, message, { cause: error });
  };
  async function* bytesOf(response: Response): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of piecesOf(response.body)) {
        clearTimeout(alarm);
        yield chunk;
        expect();
      }
    } catch (error) {
      throw failed(error);
    } finally {
      clearTimeout(alarm);
    }
  }
  try {
    expect();
    const response = await fetch(`${options.url}${path}`, {
      method: "POST",
      headers: options.token === undefined ? {} : { authorization: `Bearer ${options.token}` },
      signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
      redirect: "error",
    });
    if (!response.ok) throw await errorOf(response, options.url);
    return bytesOf(response);
  } catch (error) {
    throw failed(error);
  }
}
