import { type AccountHistory, ServiceError } from "../api/index.ts";
import type { Chain, HistoryIndex, HistoryItem, HistoryPosition } from "../chain/index.ts";
import { accountKeyOf } from "../ledger/index.ts";
import { encodeAddress, hexToBytes } from "../primitives/index.ts";

/** Text of a position, as a list's `next`: height and position in the block. */
const cursorOf = ({ height, position }: HistoryPosition): string => `${height}-${position}`;

function positionAt(cursor: string): HistoryPosition {
  const [, height, position] = /^(0|[1-9]\d{0,14})-(0|[1-9]\d{0,9})$/.exec(cursor) ?? [];
  const at = { height: Number(height), position: Number(position) };
  if (at.position < 2 ** 32) return at;
  const message = `after must be a next value of this list, not ${cursor}`;
  throw new ServiceError("BAD_CURSOR", 400, message, { details: { at: "after", value: cursor } });
}

function itemView({
  counterpart,
  transaction,
  block,
  ...item
}: HistoryItem): AccountHistory["items"][number] {
  return {
    direction: item.direction,
    transaction: transaction ?? null,
    counterpart: counterpart === undefined ? null : encodeAddress(hexToBytes(counterpart)),
    amount: item.amount,
    fee: item.fee,
    height: item.height,
    block,
    timestampMs: item.timestampMs,
  };
}

/** One page of an account's history, as far as the index is. */
export async function historyOf(
  { chain, history }: { readonly chain: Chain; readonly history: HistoryIndex | undefined },
  publicKey: Uint8Array,
  { limit, after }: { readonly limit: number; readonly after?: string },
): Promise<AccountHistory> {
  if (history === undefined) {
    const message = "this node keeps no history (--no-history); start it without that, or ask another node";
    throw new ServiceError("HISTORY_OFF", 409, message);
  }
  const before = after === undefined ? {} : { before: positionAt(after) };
  const { items, more, indexed, firstHeight } = await history.page(accountKeyOf(publicKey), {
    limit,
    ...before,
  });
  const { id, height } = chain.head;
  const last = items.at(-1);
  return {
    items: items.map(itemView),
    next: more && last !== undefined ? cursorOf(last) : null,
    indexedHeight: indexed.height,
    firstHeight,
    head: { id, height },
  };
}
