import type { Logger } from "../ports/index.ts";

/** The order of stopping: last started, first stopped. */
export interface Shutdown {
  add(name: string, step: () => unknown): void;
  run(): Promise<void>;
}

export function createShutdown(logger: Logger): Shutdown {
  const steps: { name: string; step: () => unknown }[] = [];
  let running: Promise<void> | undefined;
  async function run(): Promise<void> {
    for (const { name, step } of steps.reverse()) {
      try {
        await step();
      } catch (error) {
        logger.error({ step: name, error: String(error) }, "a part of the node did not stop cleanly");
      }
    }
  }
  return {
    add: (name, step) => steps.push({ name, step }),
    run: () => {
      running ??= run();
      return running;
    },
  };
}
