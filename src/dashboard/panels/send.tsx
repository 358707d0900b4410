import { useState } from "react";
import { shortId, unitsOf } from "../state/format.ts";
import { go, txHref } from "../state/route.ts";
import type { Actions } from "../state/source.ts";
import { NodeSelect, submit, useDeed } from "./deed.tsx";

/** Handed to nodes on both sides of a split, the same coins are spent twice. */
export function Send({ actions, nodes }: { readonly actions: Actions; readonly nodes: readonly number[] }) {
  const [from, setFrom] = useState(nodes[0] ?? 1);
  const [at, setAt] = useState(nodes[0] ?? 1);
  const [to, setTo] = useState(nodes[1] ?? 1);
  const [amount, setAmount] = useState("1");
  const { run, isBusy, told } = useDeed();
  const send = (): Promise<void> =>
    run(async () => {
      const units = unitsOf(amount);
      if (units === undefined) throw new Error("give an amount of coins such as 1.5");
      const { mining } = await actions.node(to).status();
      const { id } = await actions.send(at, { from, to: mining.rewardTo, amount: units });
      go(txHref(id));
      return `sent by ${shortId(id)}`;
    });
  return (
    <form onSubmit={submit(() => void send())} aria-label="Send">
      <p className="hint">From the rewards of one node to those of another.</p>
      <div className="row">
        <NodeSelect label="from" value={from} nodes={nodes} onChange={setFrom} />
        <NodeSelect label="to" value={to} nodes={nodes} onChange={setTo} />
        <NodeSelect label="handed to" value={at} nodes={nodes} onChange={setAt} />
      </div>
      <div className="row">
        <label>
          <span>coins</span>
          <input
            inputMode="decimal"
            required
            value={amount}
            onChange={({ target }) => setAmount(target.value)}
          />
        </label>
        <button type="submit" className="primary" disabled={isBusy}>
          Send
        </button>
      </div>
      {told}
    </form>
  );
}
