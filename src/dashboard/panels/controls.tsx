import { type ReactNode, useState } from "react";
import type { LinkShape } from "../../client/index.ts";
import { INK, nodeColor } from "../state/colors.ts";
import { useMoment, usePage } from "../state/context.ts";
import { shortId } from "../state/format.ts";
import type { Actions } from "../state/source.ts";
import { NodeSelect, submit, useDeed } from "./deed.tsx";
import { Processes } from "./processes.tsx";
import { Send } from "./send.tsx";

const GROUPS = ["A", "B", "C", "D"];
const MOST_MINED = 100;
const MINE_TIMEOUT_MS = 60_000;

function Split({ actions, nodes }: { readonly actions: Actions; readonly nodes: readonly number[] }) {
  const { model } = useMoment();
  const half = Math.ceil(nodes.length / 2);
  const [groupOf, setGroupOf] = useState<Readonly<Record<number, number>>>({});
  const [seconds, setSeconds] = useState("");
  const { run, isBusy, told } = useDeed();
  // Deeds are of now, whatever moment is shown.
  const isSplit = model.splitAt(model.endMs) !== null;
  const group = (n: number, i: number): number => groupOf[n] ?? (i < half ? 0 : 1);
  const groups = GROUPS.map((_, g) => nodes.filter((n, i) => group(n, i) === g)).filter(
    (members) => members.length > 0,
  );
  const split = (): Promise<void> =>
    run(async () => {
      const forMs = seconds === "" ? undefined : Math.round(Number(seconds) * 1_000);
      await actions.split(groups, forMs);
      return `split into ${groups.map((members) => members.join(", ")).join(" / ")}`;
    });
  const heal = (): Promise<void> =>
    run(async () => {
      await actions.heal();
      return "healed: all links are joined again";
    });
  return (
    <form onSubmit={submit(() => void split())} aria-label="Split">
      <p className="hint">A node's group: press it to move it on.</p>
      <div className="group-picker">
        {nodes.map((n, i) => (
          <button
            key={n}
            type="button"
            className="group-node"
            onClick={() => setGroupOf({ ...groupOf, [n]: (group(n, i) + 1) % GROUPS.length })}
          >
            <span className="tag" style={{ background: nodeColor(n), color: INK }}>
              {n}
            </span>
            <span className="visually-hidden">: group</span> {GROUPS[group(n, i)]}
          </button>
        ))}
      </div>
      <div className="row">
        <label>
          <span>heals after, s</span>
          <input
            inputMode="decimal"
            placeholder="by hand"
            value={seconds}
            onChange={({ target }) => setSeconds(target.value)}
            pattern="[0-9]*\.?[0-9]*"
          />
        </label>
        <button type="submit" className="primary" disabled={isBusy || groups.length < 2}>
          Split
        </button>
        <button type="button" disabled={isBusy || !isSplit} onClick={() => void heal()}>
          Heal
        </button>
      </div>
      {told}
    </form>
  );
}

const numberOf = (text: string): number | undefined => (text.trim() === "" ? undefined : Number(text));

function Link({ actions, nodes }: { readonly actions: Actions; readonly nodes: readonly number[] }) {
  const [from, setFrom] = useState(nodes[0] ?? 1);
  const [to, setTo] = useState(nodes[1] ?? 1);
  const [fields, setFields] = useState({ delayMs: "200", jitterMs: "", loss: "", rate: "" });
  const [isBlackhole, setBlackhole] = useState(false);
  const { run, isBusy, told } = useDeed();
  const field = (name: keyof typeof fields, label: string) => (
    <label>
      <span>{label}</span>
      <input
        inputMode="decimal"
        value={fields[name]}
        onChange={({ target }) => setFields({ ...fields, [name]: target.value })}
      />
    </label>
  );
  const shape = (): LinkShape => {
    const [delayMs, jitterMs, loss, rate] = [fields.delayMs, fields.jitterMs, fields.loss, fields.rate].map(
      numberOf,
    );
    return {
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(jitterMs === undefined ? {} : { jitterMs }),
      ...(loss === undefined ? {} : { lossRatio: loss / 100 }),
      ...(rate === undefined ? {} : { bytesPerSecond: rate * 1_000 }),
      ...(isBlackhole ? { blackhole: true } : {}),
    };
  };
  const apply = (): Promise<void> =>
    run(async () => {
      await actions.link(from, to, shape(), undefined);
      return `what node ${from} sends to node ${to} is shaped`;
    });
  const whole = (): Promise<void> =>
    run(async () => {
      await actions.unlink(from, to);
      return `the link from node ${from} to node ${to} is whole`;
    });
  return (
    <form onSubmit={submit(() => void apply())} aria-label="Link">
      <div className="row">
        <NodeSelect label="from" value={from} nodes={nodes} onChange={setFrom} />
        <NodeSelect label="to" value={to} nodes={nodes} onChange={setTo} />
      </div>
      <div className="row">
        {field("delayMs", "delay, ms")}
        {field("jitterMs", "jitter, ms")}
        {field("loss", "loss, %")}
        {field("rate", "rate, kB/s")}
      </div>
      <div className="row">
        <label className="check">
          <input
            type="checkbox"
            checked={isBlackhole}
            onChange={({ target }) => setBlackhole(target.checked)}
          />
          blackhole
        </label>
        <button type="submit" className="primary" disabled={isBusy || from === to}>
          Shape
        </button>
        <button type="button" disabled={isBusy || from === to} onClick={() => void whole()}>
          Make whole
        </button>
      </div>
      {told}
    </form>
  );
}

function Mine({ actions, nodes }: { readonly actions: Actions; readonly nodes: readonly number[] }) {
  const [n, setN] = useState(nodes[0] ?? 1);
  const [blocks, setBlocks] = useState("1");
  const { run, isBusy, told } = useDeed();
  const mine = (): Promise<void> =>
    run(async () => {
      const { blocks: mined } = await actions
        .node(n)
        .mining({ mode: "blocks", count: Number(blocks), timeoutMs: MINE_TIMEOUT_MS });
      return `node ${n} mined ${mined.length === 1 ? `block ${shortId(mined[0] ?? "")}` : `${mined.length} blocks`}`;
    });
  const mode = (on: boolean): Promise<void> =>
    run(async () => {
      await actions.node(n).mining(on ? { mode: "continuous" } : { mode: "off" });
      return on ? `node ${n} mines on and on` : `node ${n} has stopped mining`;
    });
  return (
    <form onSubmit={submit(() => void mine())} aria-label="Mine">
      <div className="row">
        <NodeSelect label="at" value={n} nodes={nodes} onChange={setN} />
        <label>
          <span>blocks</span>
          <input
            type="number"
            min={1}
            max={MOST_MINED}
            required
            value={blocks}
            onChange={({ target }) => setBlocks(target.value)}
          />
        </label>
        <button type="submit" className="primary" disabled={isBusy}>
          Mine
        </button>
      </div>
      <div className="row">
        <button type="button" disabled={isBusy} onClick={() => void mode(true)}>
          Mine on and on
        </button>
        <button type="button" disabled={isBusy} onClick={() => void mode(false)}>
          Stop
        </button>
      </div>
      {told}
    </form>
  );
}

interface Tab {
  readonly name: string;
  readonly form: (actions: Actions, nodes: readonly number[]) => ReactNode;
  readonly isOfCluster: boolean;
}

const TABS: readonly Tab[] = [
  { name: "Split", isOfCluster: true, form: (actions, nodes) => <Split actions={actions} nodes={nodes} /> },
  { name: "Link", isOfCluster: true, form: (actions, nodes) => <Link actions={actions} nodes={nodes} /> },
  { name: "Mine", isOfCluster: false, form: (actions, nodes) => <Mine actions={actions} nodes={nodes} /> },
  {
    name: "Send",
    isOfCluster: true,
    form: (actions, nodes) => <Send actions={actions} nodes={nodes} />,
  },
  {
    name: "Process",
    isOfCluster: true,
    form: (actions, nodes) => <Processes actions={actions} nodes={nodes} />,
  },
];

/** What changes the network; only where the page has the token. */
export function Controls() {
  const { actions } = usePage();
  const { model, hasToken } = useMoment();
  const tabs = TABS.filter(({ isOfCluster }) => !isOfCluster || actions?.kind === "cluster");
  const [chosen, setChosen] = useState<string>();
  if (actions === undefined) return null;
  if (!hasToken)
    return (
      <section className="panel controls" aria-labelledby="controls-title">
        <h2 id="controls-title">Controls</h2>
        <p className="muted empty">
          Only with the token: open the address that <code>cumulo dashboard</code> prints.
        </p>
      </section>
    );
  const nodes = model.nodes.map(({ n }) => n);
  const open = tabs.find(({ name }) => name === chosen) ?? tabs[0];
  return (
    <section className="panel controls" aria-labelledby="controls-title">
      <h2 id="controls-title">Controls</h2>
      <fieldset className="tabs">
        <legend className="visually-hidden">What to do</legend>
        {tabs.map(({ name }) => (
          <button key={name} type="button" aria-pressed={name === open?.name} onClick={() => setChosen(name)}>
            {name}
          </button>
        ))}
      </fieldset>
      {nodes.length > 0 && open?.form(actions, nodes)}
    </section>
  );
}
