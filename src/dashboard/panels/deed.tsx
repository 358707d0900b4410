import { type FormEvent, useState } from "react";

type Outcome = { readonly isBad: boolean; readonly text: string } | undefined;

/** Runs one deed at a time and tells how it went, in the API's own words where it failed. */
export function useDeed() {
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();
  async function run(deed: () => Promise<string>): Promise<void> {
    setBusy(true);
    setOutcome(undefined);
    try {
      setOutcome({ isBad: false, text: await deed() });
    } catch (error) {
      setOutcome({ isBad: true, text: (error as Error).message });
    } finally {
      setBusy(false);
    }
  }
  const told = outcome !== undefined && (
    <p className={outcome.isBad ? "outcome bad" : "outcome"} role={outcome.isBad ? "alert" : "status"}>
      {outcome.text}
    </p>
  );
  return { run, isBusy, told };
}

export const submit = (deed: () => void) => (event: FormEvent) => {
  event.preventDefault();
  deed();
};

export function NodeSelect(props: {
  readonly label: string;
  readonly value: number;
  readonly nodes: readonly number[];
  readonly onChange: (n: number) => void;
}) {
  return (
    <label>
      <span>{props.label}</span>
      <select value={props.value} onChange={({ target }) => props.onChange(Number(target.value))}>
        {props.nodes.map((n) => (
          <option key={n} value={n}>
            node {n}
          </option>
        ))}
      </select>
    </label>
  );
}
