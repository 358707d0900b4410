import type { ForkTree } from "../consensus/index.ts";
import type { Clock } from "../ports/index.ts";
import type { BlockId } from "../primitives/index.ts";
import type { Connector } from "./connector.ts";
import type { Publisher } from "./publisher.ts";
import { keys } from "./schema.ts";

/** Marks at a time: each is an operator's word on one branch, so a bound that nobody meets but a script gone wild. */
const MAX_MARKS = 1_000;

/** What became of an operator's word on a block. */
export type MarkResult =
  /** Durable, and the head is the best of what remains. `marks`: set or taken away; none where nothing had to be done. */
  | { readonly status: "done"; readonly marks: readonly BlockId[] }
  /**
   * Genesis is every branch's, and so is what was pruned; an invalid block cannot be made valid, and need not be
   * invalidated.
   */
  | { readonly status: "unknown" | "genesis" | "pruned" | "invalid" | "too-many" };

interface OperatorMarksDeps {
  readonly tree: ForkTree;
  readonly connector: Connector;
  readonly publisher: Publisher;
  readonly clock: Clock;
}

/**
 * The operator's say in the fork choice. A mark is kept apart from what the rules say of a block: it can be taken back, it
 * survives a reset of the state, and it blames nobody. Call with the writer's lock.
 */
export function createOperatorMarks({ tree, connector, publisher, clock }: OperatorMarksDeps) {
  /** The marks go into the first batch: where the rest is interrupted, the next start goes on with them. */
  async function settle(id: BlockId, message: "invalidate" | "reconsider", marks: readonly BlockId[]) {
    for (const one of marks) {
      const value = message === "invalidate" ? Uint8Array.of(1) : undefined;
      connector.write({ key: keys.mark(one), value });
    }
    const source = { peer: "local", message, receivedMs: clock.nowMs() };
    publisher.note(id, source);
    await connector.activateBest();
    publisher.note(connector.position.id, source, id);
    await publisher.publish();
    return { status: "done", marks } as const;
  }

  return {
    async invalidate(id: BlockId): Promise<MarkResult> {
      const block = tree.get(id);
      if (block === undefined) return { status: "unknown" };
      if (block.height === 0) return { status: "genesis" };
      if (block.height <= tree.floor.height) return { status: "pruned" };
      if (block.status === "invalid") return { status: "invalid" };
      if (tree.marks.has(id)) return { status: "done", marks: [] };
      if (tree.marks.size >= MAX_MARKS) return { status: "too-many" };
      tree.invalidate(id);
      return await settle(id, "invalidate", [id]);
    },
    async reconsider(id: BlockId): Promise<MarkResult> {
      const block = tree.get(id);
      if (block === undefined) return { status: "unknown" };
      const marks = tree.reconsider(id);
      if (marks.length > 0) return await settle(id, "reconsider", marks);
      return block.status === "invalid" ? { status: "invalid" } : { status: "done", marks };
    },
  };
}
