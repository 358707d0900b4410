import type { Refusal } from "../consensus/index.ts";
import type { Block, BlockId } from "../primitives/index.ts";
import type { BlockSource, HeadSummary, ReorgRecord } from "./reorg.ts";

/** What a head change took out and put in; all of it durable. */
export interface HeadChange {
  readonly oldHead: HeadSummary;
  readonly newHead: HeadSummary;
  /** Ids, ascending by height. */
  readonly disconnected: readonly BlockId[];
  readonly connected: readonly BlockId[];
}

/** Told after the fact, in order, once everything is durable; never in the middle of a reorg. */
export interface ChainEvents {
  head(change: HeadChange): void;
  reorg(record: ReorgRecord): void;
  /** A block was stored or found invalid; `connected` says whether it is in the best chain. */
  block(event: {
    readonly block: Block;
    readonly source: BlockSource;
    readonly status: "connected" | "side" | "invalid";
    readonly refusal?: Refusal;
  }): void;
  /** The chain stopped itself because its store failed; nothing more will be accepted. */
  fatal(error: Error): void;
}

export interface Emitter<Events> {
  on<Name extends keyof Events>(name: Name, listener: Events[Name]): void;
  emit<Name extends keyof Events>(name: Name, event: EventArgument<Events[Name]>): void;
}
type EventArgument<Listener> = Listener extends (event: infer Event) => void ? Event : never;

/** Calls listeners in the order they came, at once. A listener that throws is its owner's bug and stops nobody else. */
export function createEmitter<Events>(onError: (error: unknown) => void): Emitter<Events> {
  const listeners = new Map<keyof Events, ((event: never) => void)[]>();
  return {
    on(name, listener) {
      const list = listeners.get(name) ?? [];
      list.push(listener as (event: never) => void);
      listeners.set(name, list);
    },
    emit(name, event) {
      for (const listener of listeners.get(name) ?? []) {
        try {
          listener(event as never);
        } catch (error) {
          onError(error);
        }
      }
    },
  };
}
