import { NodeTag } from "./panels/node-tag.tsx";
import { clock, duration, shortId } from "./state/format.ts";
import { blockHref, txHref } from "./state/route.ts";
import "./report-result.css";

/** What a scenario's run puts beside its recording, as far as the page shows it; report.json has it all. */
export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly outcome: string;
  readonly file: string;
  readonly seed: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly problem: { readonly line: number; readonly message: string } | null;
  readonly assertions: readonly {
    readonly line: number;
    readonly text: string;
    readonly isTrue: boolean;
    readonly expected: string;
    readonly actual: string;
    readonly tookMs: number;
  }[];
  readonly convergences: readonly {
    readonly line: number;
    readonly after: string;
    readonly timeMs: number;
  }[];
  readonly transactions: readonly {
    readonly name: string;
    readonly id: string;
    readonly nodes: readonly {
      readonly node: number;
      readonly fate: {
        readonly state: string;
        readonly block?: string;
        readonly height?: number;
        readonly rule?: string;
        readonly by?: string;
      };
      readonly refusedBy: string | null;
      readonly events: readonly { readonly what: string; readonly timeMs: number }[];
    }[];
  }[];
}

type Transaction = ScenarioResult["transactions"][number];

function Assertions({ result }: { readonly result: ScenarioResult }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys.
    <section className="panel scroll-x" aria-labelledby="assertions-title" tabIndex={0}>
      <h2 id="assertions-title">
        {result.name}{" "}
        <span className={result.outcome === "passed" ? "is-true" : "bad"}>{result.outcome}</span>
        <span className="muted">
          in {duration(result.endedMs - result.startedMs)}; {result.file}, seed {result.seed}
        </span>
      </h2>
      {result.about !== "" && <p>{result.about}</p>}
      {result.problem !== null && (
        <p className="bad">
          Line {result.problem.line}: {result.problem.message}
        </p>
      )}
      <table className="grid">
        <thead>
          <tr>
            <th scope="col">line</th>
            <th scope="col">assertion</th>
            <th scope="col">true</th>
            <th scope="col">seen</th>
            <th scope="col" className="number">
              after
            </th>
          </tr>
        </thead>
        <tbody>
          {result.assertions.map(({ line, text, isTrue, expected, actual, tookMs }) => (
            <tr key={line}>
              <td className="number">{line}</td>
              <td className="wraps" title={expected}>
                {text.replace(/^assert /, "")}
              </td>
              <td className={isTrue ? "is-true" : "bad"}>{isTrue ? "yes" : "no"}</td>
              <td className="wraps">{actual}</td>
              <td className="number">{duration(tookMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {result.convergences.map(({ line, after, timeMs }) => (
        <p className="muted" key={line}>
          One head {duration(timeMs)} after “{after}” (line {line}).
        </p>
      ))}
    </section>
  );
}

function Fate({ at, nameOf }: { at: Transaction["nodes"][number]; nameOf: (id: string) => string }) {
  const { fate, refusedBy, events } = at;
  const last = events.findLast(({ what }) => what === fate.state);
  const { block, by } = fate;
  return (
    <>
      <span className={`fate ${fate.state}`}>
        {fate.state === "unknown" ? "never taken here" : fate.state}
      </span>
      {block !== undefined && (
        <>
          {" "}
          in <a href={blockHref(block)}>{fate.height}</a>
        </>
      )}
      {by !== undefined && (
        <>
          {" "}
          by <a href={txHref(by)}>{nameOf(by)}</a>
        </>
      )}
      {fate.rule !== undefined && <> by {fate.rule}</>}
      {last !== undefined && <span className="muted"> at {clock(last.timeMs)}</span>}
      {refusedBy !== null && <span className="muted">, refused at the end by {refusedBy}</span>}
    </>
  );
}

function Transactions({ transactions }: Pick<ScenarioResult, "transactions">) {
  const nameOf = (id: string): string => transactions.find((one) => one.id === id)?.name ?? shortId(id);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys.
    <section className="panel scroll-x" aria-labelledby="transactions-title" tabIndex={0}>
      <h2 id="transactions-title">
        Transactions <span className="muted">by each node's own word at the end</span>
      </h2>
      <table className="grid">
        <thead>
          <tr>
            <th scope="col">transaction</th>
            <th scope="col">node</th>
            <th scope="col">fate</th>
          </tr>
        </thead>
        <tbody>
          {transactions.flatMap(({ name, id, nodes }) =>
            nodes.map((at, i) => (
              <tr key={`${id} ${at.node}`}>
                <td>
                  {i === 0 && (
                    <a href={txHref(id)}>
                      {name} <code>{shortId(id)}</code>
                    </a>
                  )}
                </td>
                <td>
                  <NodeTag n={at.node} />
                </td>
                <td className="wraps">
                  <Fate at={at} nameOf={nameOf} />
                </td>
              </tr>
            )),
          )}
        </tbody>
      </table>
    </section>
  );
}

/** What a scenario asserted, and what became of the transactions that it named. */
export function ReportResult({ result }: { readonly result: ScenarioResult }) {
  return (
    <aside className="report-frame" aria-label="Result of the scenario">
      <Assertions result={result} />
      {result.transactions.length > 0 && <Transactions transactions={result.transactions} />}
    </aside>
  );
}
