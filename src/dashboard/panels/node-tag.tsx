import { INK, nodeColor } from "../state/colors.ts";
import { usePage } from "../state/context.ts";

/** A node's number in its colour, as its head is marked in the tree. */
export function NodeTag({ n, isGone = false }: { readonly n: number; readonly isGone?: boolean }) {
  const { store } = usePage();
  return (
    <span
      className={isGone ? "tag gone" : "tag"}
      style={isGone ? undefined : { background: nodeColor(n), color: INK }}
      title={store.model.nameOf(n)}
    >
      {n}
    </span>
  );
}
