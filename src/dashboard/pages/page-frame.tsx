import { type ReactNode, useState } from "react";
import type { Answered } from "../state/use-asked.ts";

/** A page of one thing: what it is, its whole name, and the way back. */
export function PageFrame(props: {
  readonly kind: string;
  readonly title: string;
  readonly id: string;
  readonly children: ReactNode;
}) {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard?.writeText(props.id).then(() => setCopied(true));
  };
  return (
    <article className="page panel">
      <header>
        <p className="kind">
          <a href="#/">Overview</a> <span aria-hidden="true">/</span> {props.kind}
        </p>
        <h2>{props.title}</h2>
        <p className="whole-id">
          <code className="break">{props.id}</code>
          <button type="button" className="quiet" onClick={copy}>
            {isCopied ? "copied" : "copy"}
          </button>
        </p>
      </header>
      {props.children}
    </article>
  );
}

/** Nobody has it, or nobody has answered yet; the API's own sentence says which. */
export function Missing({
  title,
  answers,
}: {
  readonly title: string;
  readonly answers: readonly Answered<unknown>[] | undefined;
}) {
  const errors = (answers ?? []).flatMap((each) => ("error" in each ? [each.error.message] : []));
  return (
    <article className="page panel">
      <header>
        <p className="kind">
          <a href="#/">Overview</a>
        </p>
        <h2>{title}</h2>
      </header>
      {answers === undefined ? (
        <p className="muted">Asking the nodes…</p>
      ) : (
        <p role="status">{[...new Set(errors)].slice(0, 3).join(" ") || "Nobody here knows it."}</p>
      )}
    </article>
  );
}
