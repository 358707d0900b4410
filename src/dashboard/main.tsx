/** The dashboard: one React tree over one store, filled by whoever serves this page. */
import { useState } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { PageContext } from "./state/context.ts";
import { type Actions, startSource } from "./state/source.ts";
import { createStore } from "./state/store.ts";

const store = createStore();
let show: (actions: Actions) => void = () => {};
let known: Actions | undefined;

function Page() {
  const [actions, setActions] = useState<Actions | undefined>(known);
  show = setActions;
  return (
    <PageContext value={{ store, actions }}>
      <App />
    </PageContext>
  );
}

const place = document.getElementById("page");
if (place !== null) createRoot(place).render(<Page />);
void startSource(store, (actions) => {
  known = actions;
  show(actions);
});
