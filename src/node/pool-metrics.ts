import { RULES } from "../consensus/index.ts";
import { type Admission, MEMPOOL_RULES, type Mempool, type RefusalRule } from "../mempool/index.ts";
import { eachOf, type Metrics } from "../ports/index.ts";

/** What can refuse or drop a single transaction. */
const CODES = [...Object.keys(RULES), ...Object.keys(MEMPOOL_RULES)].filter((code) =>
  /^(TX|MEM)-/.test(code),
) as RefusalRule[];

/** Numbers of the pending transactions, and of what comes in and goes. */
export interface PoolMetrics {
  watch(mempool: Mempool): void;
  judged(admission: Admission): void;
  /** A pending or returned one left without being mined: by a rule, or because another used its nonce. */
  left(fate: "dropped" | "conflicted", rule?: RefusalRule): void;
  returned(): void;
}

export function createPoolMetrics(metrics: Metrics): PoolMetrics {
  const counter = (what: string, help: string, labels: Readonly<Record<string, string>> = {}) =>
    metrics.counter({ name: `cumulo_mempool_${what}_total`, help, labels });
  const judged = eachOf(["pending", "known"], (status) =>
    counter("admitted", "Transactions that were admitted, or were pending already", { status }),
  );
  const refused = eachOf(CODES, (code) =>
    counter("refused", "Transactions that were refused, by the rule that they break", { code }),
  );
  const dropped = eachOf(CODES, (code) =>
    counter("dropped", "Transactions that had to leave, by rule; MEM-01: evicted by better ones", { code }),
  );
  const conflicted = counter("conflicted", "Transactions whose nonce another one used");
  const returned = counter("returned", "Transactions that a reorg gave back");
  return {
    watch(mempool) {
      const gauge = (what: string, help: string, read: () => number) =>
        metrics.gaugeOf({ name: `cumulo_mempool_${what}`, help }, read);
      gauge("transactions", "Pending transactions", () => mempool.size);
      gauge("bytes", "Bytes of pending transactions", () => mempool.bytes);
    },
    judged(admission) {
      if (admission.status === "refused") refused[admission.rule]?.increment();
      else judged[admission.status].increment();
    },
    left(fate, rule) {
      if (fate === "conflicted") conflicted.increment();
      else if (rule !== undefined) dropped[rule]?.increment();
    },
    returned: () => returned.increment(),
  };
}
