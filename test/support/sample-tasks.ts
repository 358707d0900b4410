/** Tasks that the worker pool's tests run on threads and inline. */
export const tasks = {
  double: (input: number): number => input * 2,
  async later(input: { readonly text: string }): Promise<string> {
    await Promise.resolve();
    return `${input.text} later`;
  },
  sum: (input: ArrayBuffer): number => new Uint8Array(input).reduce((total, byte) => total + byte, 0),
  fail(input: string): never {
    throw new TypeError(input);
  },
  never: (_input: null): Promise<never> => new Promise(() => {}),
  exit: (_input: null): never => process.exit(3),
};

export type SampleTasks = typeof tasks;
