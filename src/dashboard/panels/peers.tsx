import type { LinkMoment, RecordingModel } from "../../client/index.ts";
import { INK, nodeColor } from "../state/colors.ts";
import { useMoment } from "../state/context.ts";
import { count, duration } from "../state/format.ts";

const WIDTH = 260;
const HEIGHT = 216;
const CENTER = { x: WIDTH / 2, y: HEIGHT / 2 };

type PairState = "whole" | "shaped" | "refused" | "cut";
interface Pair {
  readonly a: number;
  readonly b: number;
  readonly state: PairState;
  readonly label: string;
}

/** What a direction of a link does, in a few words. */
function shapeWords(shape: LinkMoment["out"]): string {
  if (shape === null) return "";
  const words: string[] = [];
  if (shape.blackhole) words.push("blackhole");
  if (shape.delayMs) words.push(duration(shape.delayMs));
  if (shape.lossRatio) words.push(`${Math.round(shape.lossRatio * 100)} % loss`);
  if (shape.bytesPerSecond) words.push(`${Math.round(shape.bytesPerSecond / 1_000)} kB/s`);
  return words.join(", ");
}

/** How each two nodes stand to each other: what either of them says of the other, the worse counts. */
function pairsAt(model: RecordingModel, timeMs: number, groupOf: (n: number) => number): Pair[] {
  const pairs = new Map<string, Pair>();
  const rank: Record<PairState, number> = { whole: 0, shaped: 1, refused: 2, cut: 3 };
  for (const link of model.linksAt(timeMs)) {
    if (link.other === undefined) continue;
    const [a, b] = [link.node, link.other].sort((x, y) => x - y) as [number, number];
    const isCut = groupOf(a) !== groupOf(b);
    const state: PairState = isCut
      ? "cut"
      : link.mode === "refuse"
        ? "refused"
        : link.mode === "shape"
          ? "shaped"
          : "whole";
    if (state === "whole" && !link.connected) continue;
    const key = `${a} ${b}`;
    const before = pairs.get(key);
    const words =
      state === "shaped" ? `${link.node}→${link.other} ${shapeWords(link.out) || shapeWords(link.in)}` : "";
    if (before === undefined || rank[state] > rank[before.state])
      pairs.set(key, { a, b, state, label: words });
    else if (state === "shaped" && before.state === "shaped" && words !== "")
      pairs.set(key, { ...before, label: [before.label, words].filter((each) => each !== "").join("; ") });
  }
  return [...pairs.values()];
}

interface Place {
  readonly x: number;
  readonly y: number;
}

/** All on one circle; a split's groups each on one of their own. */
function placesOf(nodes: readonly number[], groups: readonly (readonly number[])[]): Map<number, Place> {
  const places = new Map<number, Place>();
  const put = (members: readonly number[], x: number, y: number, radius: number): void =>
    members.forEach((n, i) => {
      const angle = (i / members.length) * 2 * Math.PI - Math.PI / 2;
      places.set(
        n,
        members.length === 1
          ? { x, y }
          : { x: x + radius * Math.cos(angle), y: y + radius * Math.sin(angle) },
      );
    });
  if (groups.length < 2) put(nodes, CENTER.x, CENTER.y, CENTER.y - 18);
  else
    groups.forEach((group, i) => {
      const angle = (i / groups.length) * 2 * Math.PI + Math.PI;
      const away = CENTER.x * 0.55;
      put(
        group,
        CENTER.x + away * Math.cos(angle),
        CENTER.y + away * 0.8 * Math.sin(angle),
        Math.min(46, 12 + group.length * 9),
      );
    });
  return places;
}

const WORDS: Record<PairState, string> = {
  whole: "connected",
  shaped: "shaped",
  refused: "refused",
  cut: "cut by a split",
};

/** Who is connected with whom, and what the conditioner does to it, at the moment shown. */
export function Peers() {
  const { model, timeMs } = useMoment();
  const split = model.splitAt(timeMs);
  const groups = split?.groups ?? [];
  const groupOf = (n: number): number => groups.findIndex((group) => group.includes(n));
  const nodes = model.nodes.map(({ n }) => n);
  const places = placesOf(nodes, groups);
  const pairs = pairsAt(model, timeMs, groupOf);
  const radius = nodes.length > 20 ? 6 : nodes.length > 10 ? 10 : 13;
  const pathOf = (state: PairState): string =>
    pairs
      .filter((pair) => pair.state === state)
      .map(({ a, b }) => {
        const [from, to] = [places.get(a), places.get(b)];
        return from === undefined || to === undefined ? "" : `M${from.x} ${from.y}L${to.x} ${to.y}`;
      })
      .join("");
  const states = (["whole", "shaped", "refused", "cut"] as const).map((state) => ({
    state,
    number: pairs.filter((pair) => pair.state === state).length,
  }));
  const strangers = new Set(
    model
      .linksAt(timeMs)
      .flatMap(({ other, connected, peer }) => (other === undefined && connected ? [peer] : [])),
  ).size;
  const summary = states
    .filter(({ number }) => number > 0)
    .map(({ state, number }) => `${count(number, "link")} ${WORDS[state]}`);
  return (
    <section className="panel peers" aria-labelledby="peers-title">
      <h2 id="peers-title">Peers</h2>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={summary.join(", ") || "no links"}>
        {(["cut", "refused", "whole", "shaped"] as const).map((state) => (
          <path key={state} className={`link ${state}`} d={pathOf(state)} />
        ))}
        {nodes.map((n) => {
          const { x, y } = places.get(n) ?? CENTER;
          const isGone = model.nodeAt(n, timeMs).state === "gone";
          return (
            <g
              key={n}
              className={isGone ? "peer gone" : "peer"}
              style={{ transform: `translate(${x}px, ${y}px)` }}
            >
              <circle r={radius} fill={isGone ? undefined : nodeColor(n)} />
              {radius > 8 && (
                <text fill={isGone ? undefined : INK} textAnchor="middle" dominantBaseline="central">
                  {n}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      <ul className="legend">
        {states.map(({ state, number }) => (
          <li key={state}>
            <span className={`swatch ${state}`} aria-hidden="true" />
            {WORDS[state]} <span className="number">{number}</span>
          </li>
        ))}
        {strangers > 0 && <li>{count(strangers, "peer")} elsewhere</li>}
      </ul>
      {pairs.some(({ label }) => label !== "") && (
        <ul className="shapes">
          {pairs
            .filter(({ label }) => label !== "")
            .slice(0, 6)
            .map(({ a, b, label }) => (
              <li key={`${a} ${b}`}>{label}</li>
            ))}
        </ul>
      )}
    </section>
  );
}
