import { ClusterError } from "./errors.ts";

const invalid = (why: string, nodes: readonly number[]): ClusterError =>
  new ClusterError(
    "CLUSTER_GROUPS_INVALID",
    `${why}; name each of nodes ${formatGroup(nodes)} once, groups apart by /, such as 1,2/3 or 1-5/6-10`,
  );

/** "1,4-6" to [1, 4, 5, 6]. */
function parseGroup(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Fails with `CLUSTER_GROUPS_INVALID` unless there are several groups that name every node of the cluster exactly once. */
export function checkGroups(groups: readonly (readonly number[])[], nodes: readonly number[]): void {
  if (groups.length < 2) throw invalid("there is only one group", nodes);
  if (groups.some((group) => group.length === 0)) throw invalid("a group is empty", nodes);
  const named = groups.flat();
  const unknown = named.find((n) => !nodes.includes(n));
  if (unknown !== undefined) throw invalid(`there is no node ${unknown}`, nodes);
  const twice = named.find((n, i) => named.indexOf(n) !== i);
  if (twice !== undefined) throw invalid(`node ${twice} is named twice`, nodes);
  const missing = nodes.find((n) => !named.includes(n));
  if (missing !== undefined) throw invalid(`node ${missing} is in no group`, nodes);
}

/** "1,2/3-5" to [[1, 2], [3, 4, 5]]: every node of the cluster exactly once. Fails with `CLUSTER_GROUPS_INVALID`. */
export function parseGroups(text: string, nodes: readonly number[]): number[][] {
  const group = String.raw`\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*`;
  if (!new RegExp(`^${group}(/${group})*$`).test(text))
    throw invalid(`"${text.slice(0, 80)}" is no list of groups`, nodes);
  const backwards = /\d+-\d+/g;
  for (const [range] of text.matchAll(backwards)) {
    const [first = 0, last = 0] = range.split("-").map(Number);
    if (first >= last) throw invalid(`the range ${range} does not go upwards`, nodes);
  }
  const groups = text.split("/").map(parseGroup);
  checkGroups(groups, nodes);
  return groups;
}

/** [1, 2, 5, 6, 7] to "1,2,5-7": three in a row are a range. */
export function formatGroup(group: readonly number[]): string {
  const sorted = group.toSorted((a, b) => a - b);
  const rows: number[][] = [];
  for (const n of sorted) {
    const row = rows.at(-1);
    if (row?.at(-1) === n - 1) row.push(n);
    else rows.push([n]);
  }
  return rows.map((row) => (row.length > 2 ? `${row[0]}-${row.at(-1)}` : row.join(","))).join(",");
}

/** As `split` takes them. */
export const formatGroups = (groups: readonly (readonly number[])[], between = "/"): string =>
  groups.map(formatGroup).join(between);

/** What of a node tells whom it can reach. */
interface Reaching {
  readonly n: number;
  readonly peer: string;
  readonly refuses: readonly string[];
}

/** Nodes that can still reach each other, by the links refused: [[1, 2], [3]]. */
export function groupsOf(nodes: readonly Reaching[]): number[][] {
  const groups: Reaching[][] = [];
  for (const node of nodes) {
    const reaches = (other: Reaching) =>
      !node.refuses.includes(other.peer) && !other.refuses.includes(node.peer);
    const joined = groups.filter((group) => group.some(reaches));
    const rest = groups.filter((group) => !joined.includes(group));
    groups.splice(0, groups.length, ...rest, [...joined.flat(), node]);
  }
  return groups
    .map((group) => group.map(({ n }) => n).sort((a, b) => a - b))
    .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}
