import { INK, nodeColor } from "../state/colors.ts";

/** A node's number in its colour, as its head is marked in the tree. */
export function NodeTag({ n, isGone = false }: { readonly n: number; readonly isGone?: boolean }) {
  return (
    <span
      className={isGone ? "tag gone" : "tag"}
      style={isGone ? undefined : { background: nodeColor(n), color: INK }}
      title={`node ${n}`}
    >
      {n}
    </span>
  );
}
