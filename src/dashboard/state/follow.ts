import { createParser } from "eventsource-parser";

export interface FollowOptions {
  /** Something happened; `isFirst` after each connect. One at a time, and again if more happened meanwhile. */
  readonly onNews: (isFirst: boolean) => Promise<void>;
  readonly onLost: (message: string) => void;
  /** Before the first news of each connect: which of its runs the server is in. */
  readonly onRun: (run: string) => void;
}

const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 5_000;
/** The heartbeat comes every 15 s. */
const SILENCE_MS = 45_000;
/** News that come close together are read together. */
const GATHER_MS = 40;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs the work when it is called, once at a time and never missing the last call. Fails as the work fails. */
function createWorker(work: (isFirst: boolean) => Promise<void>, fail: (error: Error) => void) {
  let isRunning = false;
  let isAgain = false;
  return async (isFirst: boolean): Promise<void> => {
    isAgain = true;
    if (isRunning) return;
    isRunning = true;
    let first = isFirst;
    try {
      while (isAgain) {
        isAgain = false;
        await work(first);
        first = false;
        await sleep(GATHER_MS);
      }
    } catch (error) {
      fail(error as Error);
    } finally {
      isRunning = false;
    }
  };
}

async function readStream(
  url: string,
  token: string | undefined,
  options: FollowOptions,
  onOpen: () => void,
): Promise<void> {
  const stop = new AbortController();
  let alarm: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(alarm);
    alarm = setTimeout(() => stop.abort(new Error("nothing was heard for 45 s")), SILENCE_MS);
  };
  try {
    heard();
    const response = await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: stop.signal,
    });
    if (!response.ok || response.body === null)
      throw new Error(`the stream of events answered ${response.status}`);
    const readAndCount = async (isFirst: boolean): Promise<void> => {
      await options.onNews(isFirst);
      onOpen();
    };
    const news = createWorker(readAndCount, (error) => stop.abort(error));
    const parser = createParser({
      onEvent({ event, data }) {
        // A stream begins with this; only what comes after is told by it, so what was before is read now.
        const isFirst = event === "start";
        if (isFirst) options.onRun((JSON.parse(data) as { run: string }).run);
        void news(isFirst);
      },
    });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the stream of events ended");
      heard();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(alarm);
    stop.abort();
  }
}

/** Follows a stream of events for as long as the page is open; a lost one is made again, soon and then less often. */
export async function follow(url: string, token: string | undefined, options: FollowOptions): Promise<never> {
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    try {
      await readStream(url, token, options, () => {
        pauseMs = FIRST_PAUSE_MS;
      });
    } catch (error) {
      options.onLost((error as Error).message);
    }
    await sleep(pauseMs * (0.75 + Math.random() / 2));
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}
