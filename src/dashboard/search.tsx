import { type FormEvent, useEffect, useRef, useState } from "react";
import { useMoment, usePage } from "./state/context.ts";
import { accountHref, blockHref, go, txHref } from "./state/route.ts";

/** Finds a block by id or height, a transaction by id, an account by address; beginnings of ids do. */
export function Search() {
  const { actions } = usePage();
  const { model } = useMoment();
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string>();
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const { target } = event;
      const isTyping = target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);

  /** Blocks are known here; whether an id is a transaction's only the nodes know. */
  async function find(sought: string): Promise<string | undefined> {
    if (/^\d{1,7}$/.test(sought)) return blockHref(sought);
    if (/^cum1[0-9a-z]{58}$/.test(sought)) return accountHref(sought);
    if (!/^[0-9a-f]{8,64}$/.test(sought)) return undefined;
    const block = model.tree.find(sought) ?? model.tree.blocks.find(({ id }) => id.startsWith(sought));
    if (block !== undefined) return blockHref(block.id);
    const answers = await Promise.allSettled(
      model.nodes.map(async ({ n }) => actions?.node(n).transaction(sought)),
    );
    const found = answers.find((each) => each.status === "fulfilled" && each.value !== undefined);
    if (found?.status === "fulfilled" && found.value !== undefined) return txHref(found.value.id);
    const blocks = await Promise.allSettled(model.nodes.map(async ({ n }) => actions?.node(n).block(sought)));
    const old = blocks.find((each) => each.status === "fulfilled" && each.value !== undefined);
    return old?.status === "fulfilled" && old.value !== undefined ? blockHref(old.value.id) : undefined;
  }

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    const sought = text.trim().toLowerCase();
    if (sought === "") return;
    setProblem(undefined);
    const href = await find(sought);
    if (href === undefined) {
      setProblem(
        /^[0-9a-f]{1,7}$/.test(sought)
          ? "Give at least 8 digits of an id."
          : "No block, transaction or account of this name is known to any node.",
      );
      return;
    }
    setText("");
    go(href);
  }

  return (
    <search className="search">
      <form onSubmit={(event) => void submit(event)}>
        <label className="visually-hidden" htmlFor="search">
          Search
        </label>
        <input
          ref={input}
          id="search"
          type="search"
          autoComplete="off"
          spellCheck={false}
          placeholder="Height, block, transaction, address"
          value={text}
          onChange={({ target }) => {
            setText(target.value);
            setProblem(undefined);
          }}
          aria-describedby={problem === undefined ? undefined : "search-problem"}
        />
        <kbd title="Press / to search">/</kbd>
        {problem !== undefined && (
          <p id="search-problem" className="search-problem" role="alert">
            {problem}
          </p>
        )}
      </form>
    </search>
  );
}
