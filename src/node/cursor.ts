import { ServiceError } from "../api/index.ts";

/** A list's `next` as the number it is. */
export function positionOf(cursor: string): number {
  if (/^(0|[1-9]\d{0,14})$/.test(cursor)) return Number(cursor);
  const message = `after must be a next value of this list, not ${cursor}`;
  throw new ServiceError("BAD_CURSOR", 400, message, { details: { at: "after", value: cursor } });
}
