/** The view that the address names, all of it: a reload, a second tab and a link to a colleague show the same. */
import { signal } from "@preact/signals";

export interface View {
  /** `["runs", "demo-1", "samples"]` */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/** Undefined and "" leave a word out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

export const view = signal<View>(parseHash(location.hash));
addEventListener("hashchange", () => {
  view.value = parseHash(location.hash);
});

export function parseHash(hash: string): View {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  return {
    path: path.split("/").filter(Boolean).map(decoded),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** For `href`: `#/runs/demo-1?it=12`. */
export function hashOf(path: readonly string[], query: Query = {}): string {
  const words = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(words.map(([key, value]) => [key, String(value)])).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

export function go(path: readonly string[], query: Query = {}): void {
  location.hash = hashOf(path, query);
  // The browser tells of it later; a key that is pressed meanwhile is meant for what is gone to.
  view.value = parseHash(location.hash);
}

/** Changes words of the present view. `replace` leaves no step in the browser's history: for what moves while it is dragged. */
export function setQuery(changes: Query, { replace = true }: { readonly replace?: boolean } = {}): void {
  const { path, query } = view.peek();
  const hash = hashOf(path, { ...query, ...changes });
  if (hash === location.hash) return;
  // Not by `location.hash`: that one is told later, and what changes in between would be lost.
  if (replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  view.value = parseHash(hash);
}

/** A malformed escape is text. */
function decoded(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}
