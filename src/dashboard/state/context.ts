import { createContext, useContext, useSyncExternalStore } from "react";
import type { Actions } from "./source.ts";
import type { Moment, Store } from "./store.ts";

export interface Page {
  readonly store: Store;
  /** What can be asked and changed; undefined in a report, which has nobody to ask. */
  readonly actions: Actions | undefined;
}

export const PageContext = createContext<Page | undefined>(undefined);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === undefined) throw new Error("there is no page around this");
  return page;
}

/** What the page shows at present. */
export function useMoment(): Moment {
  const { store } = usePage();
  return useSyncExternalStore(store.subscribe, store.moment);
}
