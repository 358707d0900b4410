import { useEffect, useState } from "react";
import type { ApiError, Client } from "../../client/index.ts";
import { useMoment, usePage } from "./context.ts";

/** What one node answers to a question. */
export type Answered<Answer> =
  | { readonly n: number; readonly answer: Answer }
  | { readonly n: number; readonly error: ApiError };

/** Asks every node the same, anew whenever `key` changes or a head moves while the page is live. */
export function useAllAsked<Answer>(
  key: string,
  ask: (client: Client, signal: AbortSignal) => Promise<Answer>,
): readonly Answered<Answer>[] | undefined {
  const { actions } = usePage();
  const { model, isLive } = useMoment();
  const nodes = model.nodes.map(({ n }) => n).join(",");
  const heads = isLive ? model.heads.length : 0;
  const [answers, setAnswers] = useState<{ key: string; list: readonly Answered<Answer>[] }>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `ask` is made anew at each render and means what `key` says
  useEffect(() => {
    if (actions === undefined || nodes === "") return;
    const stop = new AbortController();
    const all = nodes.split(",").map(Number);
    void Promise.all(
      all.map(async (n): Promise<Answered<Answer>> => {
        try {
          return { n, answer: await ask(actions.node(n), stop.signal) };
        } catch (error) {
          return { n, error: error as ApiError };
        }
      }),
    ).then((list) => {
      if (!stop.signal.aborted) setAnswers({ key, list });
    });
    return () => stop.abort();
  }, [actions, key, nodes, heads]);
  return answers?.key === key ? answers.list : undefined;
}
