/** Unfinished input: it outlives a change of view and a reload of this tab, and is not shared with other tabs. */
import { effect, type Signal, signal } from "@preact/signals";

const drafts = new Map<string, Signal<unknown>>();

/** The signal with this name. `initial` is its value if nothing has been typed yet. */
export function draftOf<Draft>(name: string, initial: Draft): Signal<Draft> {
  const known = drafts.get(name) as Signal<Draft> | undefined;
  if (known !== undefined) return known;
  const key = `ballast-draft ${name}`;
  const draft = signal(read(key, initial));
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(draft.value);
    if (!isFirst) write(key, text);
    isFirst = false;
  });
  drafts.set(name, draft);
  return draft;
}

/** Discards a draft that was sent. */
export function dropDraft(name: string): void {
  drafts.delete(name);
  try {
    sessionStorage.removeItem(`ballast-draft ${name}`);
  } catch {
    // Without browser storage nothing is kept.
  }
}

function read<Draft>(key: string, initial: Draft): Draft {
  try {
    const text = sessionStorage.getItem(key);
    return text === null ? initial : (JSON.parse(text) as Draft);
  } catch {
    return initial;
  }
}

function write(key: string, text: string): void {
  try {
    sessionStorage.setItem(key, text);
  } catch {
    // The draft is still in memory.
  }
}
