import { useEffect, useState } from "react";
import { AccountPage } from "./pages/account-page.tsx";
import { BlockPage } from "./pages/block-page.tsx";
import { TablePage } from "./pages/table-page.tsx";
import { TransactionPage } from "./pages/transaction-page.tsx";
import { Charts } from "./panels/charts.tsx";
import { Controls } from "./panels/controls.tsx";
import { Mempool } from "./panels/mempool.tsx";
import { NodeTag } from "./panels/node-tag.tsx";
import { Nodes } from "./panels/nodes.tsx";
import { Peers } from "./panels/peers.tsx";
import { Reorgs } from "./panels/reorgs.tsx";
import { Timeline } from "./panels/timeline.tsx";
import { Search } from "./search.tsx";
import { useMoment } from "./state/context.ts";
import { type Route, useRoute } from "./state/route.ts";
import { TreeView } from "./tree/tree-view.tsx";
import "./style.css";
import "./panels.css";

const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const THEME_KEY = "cumulo-theme";

/** Storage may be forbidden, as in a report opened from a disk. */
function storedTheme(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(THEME_KEY)) ?? "system";
  } catch {
    return "system";
  }
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(storedTheme);
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    try {
      localStorage.setItem(THEME_KEY, theme);
    } catch {
      // Then it holds for as long as the page is open.
    }
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] as Theme;
  return (
    <button
      type="button"
      className="quiet theme"
      onClick={() => setTheme(next)}
      title={`Colours: ${theme}. Press for ${next}.`}
    >
      <span aria-hidden="true">{{ system: "◐", light: "☀", dark: "☾" }[theme]}</span>
      <span className="visually-hidden">Colours: {theme}</span>
    </button>
  );
}

/** Over the page, so that nothing jumps when it comes and goes. */
function LostNotice() {
  const { connection } = useMoment();
  if (connection.state !== "lost") return null;
  return (
    <p className="lost" role="alert">
      <strong>Not connected:</strong> {connection.message}. What is shown is as it was; the page goes on by
      itself.
    </p>
  );
}

/** In the tree's corner: how the nodes are split at the moment shown. */
function SplitNotice() {
  const { model, timeMs } = useMoment();
  const split = model.splitAt(timeMs);
  if (split === null) return null;
  return (
    <p className="split" role="status">
      <strong>split</strong>
      {split.groups.map((group, i) => (
        <span key={group.join()}>
          <span className="muted">{split.names?.[i] ?? "ABCDEFGH"[i]}</span>{" "}
          {group.length > 6 ? `${group.length} nodes` : group.map((n) => <NodeTag key={n} n={n} />)}
        </span>
      ))}
    </p>
  );
}

function Lower({ route }: { readonly route: Route }) {
  switch (route.page) {
    case "block":
      return <BlockPage id={route.id} />;
    case "tx":
      return <TransactionPage id={route.id} />;
    case "account":
      return <AccountPage address={route.address} />;
    case "table":
      return <TablePage />;
    case "unknown":
      return (
        <article className="page panel">
          <h2>There is no such page</h2>
          <p>
            <code>{route.text}</code> leads nowhere; <a href="#/">the overview</a> has everything.
          </p>
        </article>
      );
    case "overview":
      return (
        <div className="panels">
          <Reorgs />
          <Peers />
          <Charts />
          <Mempool />
        </div>
      );
  }
}

/** The page: the tree and the time always, and below them the overview or one thing. */
export function App() {
  const route = useRoute();
  const { served, connection } = useMoment();
  return (
    <>
      <a className="skip" href="#main">
        Skip to the tree
      </a>
      <header className="top">
        <a className="brand" href="#/" aria-label="Cumulo, overview">
          <svg viewBox="0 0 32 32" aria-hidden="true" fill="none" strokeWidth="3" strokeLinecap="round">
            <path d="M6 22h6c5 0 4-12 9-12h5M12 22h14" stroke="currentColor" />
            <circle cx="6" cy="22" r="3.5" fill="currentColor" />
            <circle cx="26" cy="10" r="3.5" className="brand-fork" />
            <circle cx="26" cy="22" r="3.5" fill="currentColor" />
          </svg>
          <h1>Cumulo</h1>
        </a>
        <span className="served muted">{served.name}</span>
        <span className={`state ${connection.state}`}>
          {
            { connecting: "connecting", live: "connected", lost: "not connected", recorded: "recording" }[
              connection.state
            ]
          }
        </span>
        <Search />
        <ThemeSwitch />
      </header>
      <LostNotice />
      <main id="main" tabIndex={-1}>
        <div className="upper">
          <div className="stage">
            <TreeView selectedId={route.page === "block" ? route.id : undefined} />
            <SplitNotice />
            <Timeline />
          </div>
          <div className="side">
            <Nodes />
            <Controls />
          </div>
        </div>
        <Lower route={route} />
      </main>
    </>
  );
}
