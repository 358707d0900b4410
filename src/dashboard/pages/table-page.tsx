import { useState } from "react";
import { NodeTag } from "../panels/node-tag.tsx";
import { useMoment } from "../state/context.ts";
import { clock, shortAddress, shortId, work } from "../state/format.ts";
import { blockHref } from "../state/route.ts";
import { headGroups, sceneAt } from "../tree/scene.ts";

/** Heights on one page. */
const PAGE_HEIGHTS = 50;

/** The fork tree as text, from the top down: what the picture shows, for those who cannot or do not want to see it. */
export function TablePage() {
  const { model, timeMs } = useMoment();
  const [below, setBelow] = useState<number>();
  const top = headGroups(model, timeMs)[0]?.block.height ?? 0;
  const to = Math.min(top, below ?? top);
  const from = Math.max(model.tree.lowest, to - PAGE_HEIGHTS + 1);
  const scene = sceneAt(model, timeMs, from, to);
  const blocks = scene.blocks.filter(({ height }) => height >= from && height <= to).toReversed();
  const nodesAt = (index: number): readonly number[] => {
    const group = scene.heads.find(({ block }) => block.index === index);
    return [...(group?.running ?? []), ...(group?.gone ?? [])];
  };
  const running = model.nodes.length;
  return (
    <article className="page panel">
      <header>
        <p className="kind">
          <a href="#/">Overview</a> <span aria-hidden="true">/</span> Table
        </p>
        <h2>
          Blocks {from.toLocaleString("en")} to {to.toLocaleString("en")}
        </h2>
      </header>
      <nav className="row" aria-label="Heights">
        <button type="button" disabled={to >= top} onClick={() => setBelow(Math.min(top, to + PAGE_HEIGHTS))}>
          Higher
        </button>
        <button type="button" disabled={from <= model.tree.lowest} onClick={() => setBelow(from - 1)}>
          Lower
        </button>
        <button type="button" disabled={below === undefined} onClick={() => setBelow(undefined)}>
          Top
        </button>
      </nav>
      <table className="grid">
        <thead>
          <tr>
            <th scope="col" className="number">
              height
            </th>
            <th scope="col">block</th>
            <th scope="col">parent</th>
            <th scope="col">branch</th>
            <th scope="col">heads</th>
            <th scope="col">proposer</th>
            <th scope="col" className="number">
              transactions
            </th>
            <th scope="col" className="number">
              work
            </th>
            <th scope="col">first seen</th>
          </tr>
        </thead>
        <tbody>
          {blocks.map((block) => {
            const best = scene.best.get(block.index) ?? 0;
            const proposer = model.nodeOfProposer(block.proposer);
            return (
              <tr key={block.id} className={best === 0 ? "is-gone" : undefined}>
                <td className="number">{block.height.toLocaleString("en")}</td>
                <td>
                  <a href={blockHref(block.id)}>
                    <code>{shortId(block.id)}</code>
                  </a>
                </td>
                <td>
                  <code>{block.parentId === undefined ? "–" : shortId(block.parentId)}</code>
                </td>
                <td>
                  {block.isInvalid
                    ? "invalid"
                    : best === 0
                      ? "side"
                      : best === running
                        ? "best of all"
                        : `best of ${best}`}
                </td>
                <td>
                  {nodesAt(block.index).map((n) => (
                    <NodeTag key={n} n={n} />
                  ))}
                </td>
                <td>
                  {proposer !== undefined ? (
                    <NodeTag n={proposer} />
                  ) : block.proposer === undefined ? (
                    "–"
                  ) : (
                    shortAddress(block.proposer)
                  )}
                </td>
                <td className="number">{block.transactions ?? "–"}</td>
                <td className="number">{work(block.work)}</td>
                <td className="number">
                  {Number.isFinite(block.firstSeenMs) ? clock(block.firstSeenMs) : "–"}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </article>
  );
}
