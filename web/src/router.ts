/** The view, completely named by the address: a reload, a second tab and a link to a colleague show the same. */
import { signal } from "@preact/signals";

export interface View {
  /** The path: `["runs", "demo-1", "samples"]`. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/** Parameters by name; undefined and "" leave one out. */
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

/** The address for a link: `#/runs/demo-1?it=12`. */
export function hashOf(path: readonly string[], query: Query = {}): string {
  const words = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(words.map(([key, value]) => [key, String(value)])).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

export function go(path: readonly string[], query: Query = {}): void {
  location.hash = hashOf(path, query);
  // The browser's event comes later; a key pressed meanwhile is meant for the new view.
  view.value = parseHash(location.hash);
}

/** Changes parameters of the present view. `replace` adds no step to the browser's history, as for a slider during a drag. */
export function setQuery(changes: Query, { replace = true }: { readonly replace?: boolean } = {}): void {
  const { path, query } = view.peek();
  const hash = hashOf(path, { ...query, ...changes });
  if (hash === location.hash) return;
  // Not with `location.hash`: its event comes later, and changes in between would be lost.
  if (replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  view.value = parseHash(hash);
}

/** A decoded word; a malformed escape is kept as text. */
function decoded(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}
