/**
 * `npm run grafana`: writes deploy/grafana/dashboards/*.json from what stands here, as Grafana's own form of a dashboard is
 * long and says everything about each panel anew. A test holds the files to this, and the metrics in it to a real node's.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Panel {
  readonly title: string;
  /** What it shows and when to worry, for the panel's tooltip. */
  readonly about: string;
  /** Queries with their legends. */
  readonly queries: readonly (readonly [query: string, legend: string])[];
  /** As Grafana calls it; default: a plain number. */
  readonly unit?: "s" | "bytes" | "Bps" | "ops" | "percentunit";
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

/** Per second, over a time that holds four scrapes. */
const rate = (metric: string, selector = ""): string => `rate(${metric}${selector}[$__rate_interval])`;
const perNode = (query: string, ...by: readonly string[]): string =>
  `sum by (${["instance", ...by].join(", ")}) (${query})`;
/** The time below which so many of a histogram's values lie. */
const quantile = (share: number, metric: string, ...by: readonly string[]): string =>
  `histogram_quantile(${share}, ${perNode(rate(`${metric}_bucket`), "le", ...by)})`;

const dashboards: readonly Dashboard[] = [
  {
    uid: "cumulo-forks",
    title: "Cumulo: chain and forks",
    rows: [
      {
        title: "Heads",
        panels: [
          {
            title: "Height",
            about:
              "The nodes' heads. Lines that part are branches; one that stands still is cut off or stuck.",
            queries: [["cumulo_chain_head_height", "{{instance}}"]],
          },
          {
            title: "Behind the highest",
            about: "Blocks between the highest head and each node's.",
            queries: [["scalar(max(cumulo_chain_head_height)) - cumulo_chain_head_height", "{{instance}}"]],
          },
          {
            title: "Age of the head",
            about: "By the head's own timestamp. It grows while nobody mines, or nothing arrives.",
            queries: [["time() - cumulo_chain_head_timestamp_seconds", "{{instance}}"]],
            unit: "s",
          },
        ],
      },
      {
        title: "Forks",
        panels: [
          {
            title: "Reorgs",
            about: "In the last five minutes.",
            queries: [["increase(cumulo_chain_reorgs_total[5m])", "{{instance}}"]],
          },
          {
            title: "Depth of reorgs",
            about: "Nine of ten were not deeper. Deep ones: somebody was cut off, or mines in secret.",
            queries: [[quantile(0.9, "cumulo_chain_reorg_depth_blocks"), "{{instance}}"]],
          },
          {
            title: "Tips",
            about: "Ends of all branches that a node knows.",
            queries: [["cumulo_consensus_tree_tips", "{{instance}}"]],
          },
          {
            title: "Blocks in and out of the best chain",
            about: "What is disconnected was mined in vain, or on the other side of a split.",
            queries: [[perNode(rate("cumulo_chain_moved_blocks_total"), "what"), "{{instance}} {{what}}"]],
            unit: "ops",
          },
          {
            title: "Blocks handed in, by result",
            about: "Refused ones: a peer sends what breaks a rule; the log says which.",
            queries: [[perNode(rate("cumulo_chain_imports_total"), "result"), "{{instance}} {{result}}"]],
            unit: "ops",
          },
          {
            title: "Time of a reorg",
            about: "Nine of ten were done in this time.",
            queries: [[quantile(0.9, "cumulo_chain_reorg_seconds"), "{{instance}}"]],
            unit: "s",
          },
        ],
      },
      {
        title: "Transactions",
        panels: [
          {
            title: "Pending",
            about: "It grows for hours where fees are too low, or nobody mines.",
            queries: [["cumulo_mempool_transactions", "{{instance}}"]],
          },
          {
            title: "Admitted and refused",
            about: "By the rule that refuses; docs/protocol.md says what each demands.",
            queries: [
              [perNode(rate("cumulo_mempool_admitted_total", '{status="pending"}')), "{{instance}} admitted"],
              [`${perNode(rate("cumulo_mempool_refused_total"), "code")} > 0`, "{{instance}} {{code}}"],
            ],
            unit: "ops",
          },
          {
            title: "Given back, dropped, in conflict",
            about: "What reorgs and better-paying transactions do to pending ones.",
            queries: [
              [perNode(rate("cumulo_mempool_returned_total")), "{{instance}} given back"],
              [perNode(rate("cumulo_mempool_dropped_total")), "{{instance}} dropped"],
              [perNode(rate("cumulo_mempool_conflicted_total")), "{{instance}} in conflict"],
            ],
            unit: "ops",
          },
        ],
      },
      {
        title: "Mining",
        panels: [
          {
            title: "Hash rate",
            about: "Tries a second.",
            queries: [["cumulo_miner_tries_per_second", "{{instance}}"]],
          },
          {
            title: "Blocks found",
            about: 'In the last five minutes; "other": too late, or refused.',
            queries: [["increase(cumulo_miner_blocks_total[5m])", "{{instance}} {{result}}"]],
          },
        ],
      },
    ],
  },
  {
    uid: "cumulo-node",
    title: "Cumulo: network and machine",
    rows: [
      {
        title: "Peers",
        panels: [
          {
            title: "Connected",
            about: "0: nothing is heard. One only can show a branch of its own.",
            queries: [["cumulo_network_peers", "{{instance}} {{direction}}"]],
          },
          {
            title: "Links that are not whole",
            about: "Refused by an operator or an experiment: this is how a cluster is split.",
            queries: [[perNode("cumulo_network_links", "mode"), "{{instance}} {{mode}}"]],
          },
          {
            title: "Penalties and bans",
            about: "Penalties in the last five minutes, and who is banned now.",
            queries: [
              ["increase(cumulo_network_penalties_total[5m])", "{{instance}} penalties"],
              ["cumulo_sync_bans", "{{instance}} bans"],
            ],
          },
        ],
      },
      {
        title: "Messages",
        panels: [
          {
            title: "Gossip, by verdict",
            about: "Each message once. Many rejected: a peer forwards what it should have checked.",
            queries: [
              [
                perNode(rate("cumulo_network_gossip_messages_total"), "topic", "verdict"),
                "{{instance}} {{topic}} {{verdict}}",
              ],
            ],
            unit: "ops",
          },
          {
            title: "Requests that failed",
            about: "By protocol and reason.",
            queries: [
              [
                `${perNode(rate("cumulo_network_requests_total", '{outcome!="ok"}'), "protocol", "outcome")} > 0`,
                "{{instance}} {{protocol}} {{outcome}}",
              ],
            ],
            unit: "ops",
          },
          {
            title: "Time of a request",
            about: "Nine of ten had their answer in this time.",
            queries: [
              [quantile(0.9, "cumulo_network_request_seconds", "protocol"), "{{instance}} {{protocol}}"],
            ],
            unit: "s",
          },
          {
            title: "Bytes of requests and gossip",
            about: "As our messages count them, without what encryption and TCP add.",
            queries: [
              [perNode(rate("cumulo_network_request_bytes_total"), "way"), "{{instance}} {{way}}"],
              [perNode(rate("cumulo_network_gossip_bytes_total")), "{{instance}} gossip in"],
            ],
            unit: "Bps",
          },
          {
            title: "Sync",
            about: "Blocks still to be fetched.",
            queries: [["cumulo_sync_missing_blocks", "{{instance}}"]],
          },
          {
            title: "Stalled windows",
            about: "Taken from a peer that did not answer and given to another, in the last five minutes.",
            queries: [["increase(cumulo_sync_stalled_windows_total[5m])", "{{instance}}"]],
          },
        ],
      },
      {
        title: "Chain data",
        panels: [
          {
            title: "Time of an import",
            about: "From handing a block in until it is durable; nine of ten.",
            queries: [[quantile(0.9, "cumulo_chain_import_seconds"), "{{instance}}"]],
            unit: "s",
          },
          {
            title: "Time of a synced batch",
            about: "What the disk takes; nine of ten.",
            queries: [[quantile(0.9, "cumulo_chain_flush_seconds"), "{{instance}}"]],
            unit: "s",
          },
          {
            title: "Store reads",
            about: "Nine of ten.",
            queries: [[quantile(0.9, "cumulo_node_store_read_seconds", "store"), "{{instance}} {{store}}"]],
            unit: "s",
          },
          {
            title: "Accounts found in the cache",
            about: "Share of all that were asked for.",
            queries: [
              [
                `${perNode(rate("cumulo_ledger_account_reads_total", '{from="cache"}'))} / ${perNode(rate("cumulo_ledger_account_reads_total"))}`,
                "{{instance}}",
              ],
            ],
            unit: "percentunit",
          },
        ],
      },
      {
        title: "Process",
        panels: [
          {
            title: "Event loop delay",
            about: "Above a second: the machine is too slow or starved.",
            queries: [["nodejs_eventloop_lag_p99_seconds", "{{instance}}"]],
            unit: "s",
          },
          {
            title: "CPU",
            about: "Cores in use.",
            queries: [[rate("process_cpu_seconds_total"), "{{instance}}"]],
          },
          {
            title: "Memory",
            about: "Resident.",
            queries: [["process_resident_memory_bytes", "{{instance}}"]],
            unit: "bytes",
          },
          {
            title: "Workers' busy time",
            about: "Threads that check signatures and search nonces; 1: one thread all the time.",
            queries: [
              [rate("cumulo_keys_worker_busy_seconds_total"), "{{instance}} signatures"],
              [rate("cumulo_miner_worker_busy_seconds_total"), "{{instance}} mining"],
            ],
          },
          {
            title: "API",
            about: "Requests by status.",
            queries: [
              [perNode(rate("cumulo_api_request_seconds_count"), "status"), "{{instance}} {{status}}"],
            ],
            unit: "ops",
          },
          {
            title: "Event streams",
            about: "Open ones, and those cut in the last five minutes as their readers were too slow.",
            queries: [
              ["cumulo_api_streams", "{{instance}} open"],
              [perNode("increase(cumulo_api_cut_streams_total[5m])"), "{{instance}} cut"],
            ],
          },
        ],
      },
    ],
  },
];

/** Three panels side by side on Grafana's 24 columns. */
const PANEL = { w: 8, h: 7 };

function rendered({ uid, title, rows }: Dashboard): string {
  let y = 0;
  let id = 1;
  const panels: unknown[] = [];
  for (const row of rows) {
    panels.push({
      id: id++,
      type: "row",
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: 24, h: 1 },
    });
    y += 1;
    for (const [i, panel] of row.panels.entries()) {
      panels.push({
        id: id++,
        type: "timeseries",
        title: panel.title,
        description: panel.about,
        datasource: { type: "prometheus", uid: "prometheus" },
        gridPos: { x: (i % 3) * PANEL.w, y: y + Math.floor(i / 3) * PANEL.h, ...PANEL },
        fieldConfig: { defaults: { unit: panel.unit ?? "none", min: 0 }, overrides: [] },
        options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
        targets: panel.queries.map(([expr, legendFormat], n) => ({
          refId: String.fromCharCode(65 + n),
          expr,
          legendFormat,
        })),
      });
    }
    y += Math.ceil(row.panels.length / 3) * PANEL.h;
  }
  const board = {
    uid,
    title,
    tags: ["cumulo"],
    schemaVersion: 41,
    editable: false,
    refresh: "5s",
    time: { from: "now-15m", to: "now" },
    panels,
  };
  return `${JSON.stringify(board, null, 2)}\n`;
}

/** Each dashboard's file and what stands in it. */
export function renderDashboards(): { readonly file: string; readonly text: string }[] {
  return dashboards.map((board) => ({
    file: fileURLToPath(new URL(`../deploy/grafana/dashboards/${board.uid}.json`, import.meta.url)),
    text: rendered(board),
  }));
}

if (import.meta.main) for (const { file, text } of renderDashboards()) writeFileSync(file, text);
