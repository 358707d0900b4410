import { useSyncExternalStore } from "react";

/** Where the page is, by the fragment of its address: a link can be kept, and nothing of it is sent to anybody. */
export type Route =
  | { readonly page: "overview" }
  | { readonly page: "table" }
  | { readonly page: "block"; readonly id: string }
  | { readonly page: "tx"; readonly id: string }
  | { readonly page: "account"; readonly address: string }
  | { readonly page: "unknown"; readonly text: string };

export function parseRoute(hash: string): Route {
  // Nothing that leads anywhere needs escapes, and a broken one must not end the page.
  const [page = "", value = ""] = hash.replace(/^#\/?/, "").split("/", 2);
  if (page === "") return { page: "overview" };
  if (page === "table") return { page: "table" };
  if (page === "block" && /^([0-9a-f]{8,64}|[0-9]{1,15})$/.test(value)) return { page: "block", id: value };
  if (page === "tx" && /^[0-9a-f]{8,64}$/.test(value)) return { page: "tx", id: value };
  if (page === "account" && /^cum1[0-9a-z]{58}$/.test(value)) return { page: "account", address: value };
  return { page: "unknown", text: hash.slice(0, 80) };
}

export const blockHref = (id: string | number): string => `#/block/${id}`;
export const txHref = (id: string): string => `#/tx/${id}`;
export const accountHref = (address: string): string => `#/account/${address}`;

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

let last: { hash: string; route: Route } | undefined;

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, () => {
    if (last?.hash !== location.hash) last = { hash: location.hash, route: parseRoute(location.hash) };
    return last.route;
  });
}

export const go = (href: string): void => {
  location.hash = href;
};
