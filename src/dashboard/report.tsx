/** A scenario's report: the dashboard's views over the recording that stands in this file. */
import { createRoot } from "react-dom/client";
import type { Recording } from "../client/index.ts";
import { App } from "./app.tsx";
import { ReportResult, type ScenarioResult } from "./report-result.tsx";
import { PageContext } from "./state/context.ts";
import { createStore } from "./state/store.ts";

const store = createStore();
const text = document.getElementById("recording")?.textContent?.trim() ?? "";
let result: ScenarioResult | undefined;
if (text !== "") {
  const recording = JSON.parse(text) as Recording & { readonly report?: ScenarioResult };
  result = recording.report;
  for (const node of recording.nodes) store.model.addNode(node);
  store.model.add(recording.entries);
  for (const [n, records] of Object.entries(recording.reorgs)) store.model.addReorgs(Number(n), records);
  store.set({ connection: { state: "recorded" }, served: { kind: "report", name: recording.name } });
  document.title = `${recording.name} · Cumulo`;
}

const place = document.getElementById("page");
if (place !== null)
  createRoot(place).render(
    text === "" ? (
      <p>This is the empty form of a report: it shows the recording that a scenario puts into it.</p>
    ) : (
      <PageContext value={{ store, actions: undefined }}>
        <App />
        {result !== undefined && <ReportResult result={result} />}
      </PageContext>
    ),
  );
