/** Lets one holder in at a time, in the order of asking. */
export interface Lock {
  run<T>(holder: () => Promise<T>): Promise<T>;
}

export function createLock(): Lock {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(holder) {
      const result = last.then(holder);
      // The next in line waits for this one to settle, whichever way.
      last = result.catch(() => {});
      return result;
    },
  };
}
