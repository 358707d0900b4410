/** Transactions judged at a time: what a block that comes meanwhile waits for, at most, is some 40 ms of signatures. */
const MAX_JUDGED = 1_024;
/** And calls, as each asks the chain for accounts. */
const MAX_CALLS = 32;
/** Transactions that wait for their turn: half a second of work. Beyond that the node is saturated. */
const MAX_WAITING = 8_192;

/**
 * Lets few transactions be judged at a time, in the order in which they came, however many are sent: those that wait do so
 * here, and not before blocks in the queues of the signature workers and of the chain.
 */
export interface AdmissionQueue {
  /** Runs `judge` when its turn has come; undefined at once where too many wait. `count`: how many it judges. */
  run<T>(count: number, judge: () => Promise<T>): Promise<T> | undefined;
}

export function createAdmissionQueue(): AdmissionQueue {
  const queue: { readonly count: number; readonly begin: () => void }[] = [];
  let waiting = 0;
  let judged = 0;
  let calls = 0;

  function hasTurn(count: number): boolean {
    return calls === 0 || (calls < MAX_CALLS && judged + count <= MAX_JUDGED);
  }

  function beginNext(): void {
    for (let [next] = queue; next !== undefined && hasTurn(next.count); [next] = queue) {
      queue.shift();
      waiting -= next.count;
      enter(next.count);
      next.begin();
    }
  }

  function enter(count: number): void {
    judged += count;
    calls += 1;
  }

  async function run<T>(count: number, judge: () => Promise<T>): Promise<T> {
    if (queue.length === 0 && hasTurn(count)) enter(count);
    else {
      const { promise, resolve } = Promise.withResolvers<void>();
      queue.push({ count, begin: resolve });
      waiting += count;
      await promise;
    }
    try {
      return await judge();
    } finally {
      judged -= count;
      calls -= 1;
      beginNext();
    }
  }

  return {
    run(count, judge) {
      return waiting > 0 && waiting + count > MAX_WAITING ? undefined : run(count, judge);
    },
  };
}
