import { useState } from "react";
import { useMoment } from "../state/context.ts";
import type { Actions } from "../state/source.ts";
import { NodeSelect, submit, useDeed } from "./deed.tsx";

/** Kills, pauses and starts a node's process; a kill is asked for twice. */
export function Processes({
  actions,
  nodes,
}: {
  readonly actions: Actions;
  readonly nodes: readonly number[];
}) {
  const { model } = useMoment();
  const [n, setN] = useState(nodes[0] ?? 1);
  const [isAsked, setAsked] = useState(false);
  const { run, isBusy, told } = useDeed();
  // Deeds are of now, whatever moment is shown.
  const isGone = model.nodeAt(n, model.endMs).state === "gone";
  const act = (deed: "kill" | "pause" | "resume" | "restart", done: string): void => {
    setAsked(false);
    void run(async () => {
      await actions.act(n, deed);
      return `node ${n} ${done}`;
    });
  };
  return (
    <form onSubmit={submit(() => {})} aria-label="Process">
      <div className="row">
        <NodeSelect label="process of" value={n} nodes={nodes} onChange={setN} />
        <button type="button" disabled={isBusy || isGone} onClick={() => act("pause", "is paused")}>
          Pause
        </button>
        <button type="button" disabled={isBusy || isGone} onClick={() => act("resume", "goes on")}>
          Resume
        </button>
      </div>
      <div className="row">
        <button type="button" disabled={isBusy} onClick={() => act("restart", "was started again")}>
          Restart
        </button>
        {isAsked ? (
          <>
            <button
              type="button"
              className="danger"
              disabled={isBusy}
              onClick={() => act("kill", "was killed")}
            >
              Kill node {n} as a power cut would
            </button>
            <button type="button" onClick={() => setAsked(false)}>
              Keep it
            </button>
          </>
        ) : (
          <button type="button" className="danger" disabled={isBusy || isGone} onClick={() => setAsked(true)}>
            Kill…
          </button>
        )}
      </div>
      {told}
    </form>
  );
}
