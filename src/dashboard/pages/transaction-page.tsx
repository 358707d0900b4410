import type { TransactionStatus } from "../../api/index.ts";
import { NodeTag } from "../panels/node-tag.tsx";
import { clock, coins, shortAddress, shortId } from "../state/format.ts";
import { accountHref, blockHref, txHref } from "../state/route.ts";
import { type Answered, useAllAsked } from "../state/use-asked.ts";
import { Missing, PageFrame } from "./page-frame.tsx";

type Known = Extract<Answered<TransactionStatus>, { answer: TransactionStatus }>;

function Fate({ fate }: Pick<TransactionStatus, "fate">) {
  switch (fate.state) {
    case "pending":
      return <span className="fate pending">pending</span>;
    case "mined":
      return (
        <>
          <span className="fate mined">mined</span> in <a href={blockHref(fate.block)}>{fate.height}</a>{" "}
          <span className="muted">depth {fate.depth}</span>
        </>
      );
    case "dropped":
      return (
        <>
          <span className="fate dropped">dropped</span> by <code>{fate.rule}</code>
        </>
      );
    case "conflicted":
      return (
        <>
          <span className="fate conflicted">conflicted</span> by{" "}
          <a href={txHref(fate.by)}>
            <code>{shortId(fate.by)}</code>
          </a>
        </>
      );
  }
}

function Life({ n, answer }: Known) {
  return (
    <section className="life" aria-label={`On node ${n}`}>
      <h3>
        <NodeTag n={n} /> <Fate fate={answer.fate} />
      </h3>
      <ol className="events">
        {answer.events.map((event, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows hold no state: one that moves is only drawn anew
          <li key={i} className={event.what}>
            <span className="number muted">{clock(event.timeMs)}</span>
            <span>
              {event.what}
              {event.block !== undefined && (
                <>
                  {" "}
                  {event.what === "disconnected" ? "from" : "in"}{" "}
                  <a href={blockHref(event.block)}>
                    {event.height} <code>{shortId(event.block)}</code>
                  </a>
                </>
              )}
              {event.rule !== undefined && (
                <>
                  {" "}
                  by <code>{event.rule}</code>
                </>
              )}
              {event.by !== undefined && (
                <>
                  {" "}
                  by{" "}
                  <a href={txHref(event.by)}>
                    <code>{shortId(event.by)}</code>
                  </a>
                </>
              )}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** One transaction: what it does, and its whole life on every node. */
export function TransactionPage({ id }: { readonly id: string }) {
  const answers = useAllAsked(`tx ${id}`, (client, signal) => client.transaction(id, { signal }));
  const known = (answers ?? []).filter((each): each is Known => "answer" in each);
  const unknown = (answers ?? []).filter((each) => "error" in each);
  const first = known[0]?.answer;
  if (first === undefined) return <Missing title="Transaction" answers={answers} />;
  const transaction = known.find(({ answer }) => answer.transaction !== null)?.answer.transaction;
  return (
    <PageFrame
      kind="Transaction"
      title={transaction == null ? shortId(first.id) : `${coins(transaction.action.amount)} coins`}
      id={first.id}
    >
      {transaction != null && (
        <dl className="facts">
          <dt>from</dt>
          <dd>
            <a href={accountHref(transaction.sender)}>{shortAddress(transaction.sender)}</a>
          </dd>
          <dt>to</dt>
          <dd>
            <a href={accountHref(transaction.action.to)}>{shortAddress(transaction.action.to)}</a>
          </dd>
          <dt>amount</dt>
          <dd>{coins(transaction.action.amount)}</dd>
          <dt>fee</dt>
          <dd>{coins(transaction.fee)}</dd>
          <dt>nonce</dt>
          <dd>{transaction.nonce}</dd>
          <dt>expires after</dt>
          <dd>{transaction.expiry.toLocaleString("en")}</dd>
        </dl>
      )}
      <div className="lives">
        {known.map((each) => (
          <Life key={each.n} {...each} />
        ))}
      </div>
      {unknown.length > 0 && (
        <p className="muted">
          Not known at{" "}
          {unknown.map(({ n }) => (
            <NodeTag key={n} n={n} />
          ))}
        </p>
      )}
    </PageFrame>
  );
}
