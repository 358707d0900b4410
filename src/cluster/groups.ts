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

/** How a cluster is cut: its groups, and what they are called where they have names. */
export interface Split {
  readonly groups: readonly (readonly number[])[];
  /** One for each group, or none at all. */
  readonly names: readonly string[] | null;
}

const GROUP_NAME = /^[a-z][a-z0-9_-]{0,29}$/i;

/** Fails with `CLUSTER_GROUPS_INVALID` unless each group has a name of its own. */
export function checkNames(names: readonly string[], groups: number): void {
  const wrong = (why: string) =>
    new ClusterError(
      "CLUSTER_GROUPS_INVALID",
      `${why}; name all groups or none, such as minority=1,2/majority=3-5, each by a letter and up to 29 letters, digits, - or _`,
    );
  if (names.length !== groups) throw wrong(`there are ${names.length} names for ${groups} groups`);
  const bad = names.find((name) => !GROUP_NAME.test(name));
  if (bad !== undefined) throw wrong(`"${bad.slice(0, 40)}" is no name of a group`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw wrong(`two groups are called ${twice}`);
}

/** "minority=1,2/majority=3-5" or "1,2/3-5". Fails with `CLUSTER_GROUPS_INVALID`. */
export function parseSplit(text: string, nodes: readonly number[]): Split {
  const parts = text.split("/").map((part) => part.split("="));
  const named = parts.filter((part) => part.length > 1);
  if (named.length === 0) return { groups: parseGroups(text, nodes), names: null };
  const names = named.map(([name = ""]) => name);
  checkNames(names, parts.length);
  const groups = parts.map(([, ...rest]) => rest.join("=")).join("/");
  return { groups: parseGroups(groups, nodes), names };
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

/** As `split` takes it: "minority=1,2/majority=3-5". */
export const formatSplit = ({ groups, names }: Split, between = "/"): string =>
  groups.map((group, i) => `${names === null ? "" : `${names[i]}=`}${formatGroup(group)}`).join(between);

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
