/** `ballast mark`: sets a run's tags and note, and archives it. */
import { findRun } from "../../../inspect/places.ts";
import { checkMark } from "../../../operator/mark.ts";
import { operatorName } from "../../../operator/operator-name.ts";
import { type MarkRow, type Store, withStore } from "../../../store/index.ts";
import type { NewMark } from "../../../types/page.ts";
import { UsageError } from "../../../util/errors.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { jsonLine } from "../../json-line.ts";
import type { Terminal } from "../../terminal.ts";

export interface MarkOptions {
  /** A run's id or folder. */
  readonly run: string;
  readonly tag?: readonly string[];
  readonly untag?: readonly string[];
  /** The note; empty removes it. */
  readonly note?: string;
  readonly archive?: boolean;
  readonly unarchive?: boolean;
  /** The shown name; empty removes it. */
  readonly name?: string;
  readonly workspace: string;
  readonly json?: boolean;
  /** Who marks it; default: the login name. */
  readonly as?: string;
  readonly terminal: Terminal;
}

/** Writes all given marks or none, and shows the marks then in effect. */
export async function mark(options: MarkOptions): Promise<number> {
  const { workspace, json = false, terminal } = options;
  const { id: run, workspace: home } = findRun(options.run, workspace);
  const marks = marksGiven(options);
  const operator = operatorName(options.as);
  const noteIn = (store: Store) => {
    if (store.run(run) === undefined) throw new UsageError(`run ${run} has not begun`, "There is nothing to mark yet.");
    if (marks.length > 0)
      store.together(() => {
        for (const one of marks) {
          checkMark(one, { run, marks: store.marks(run) });
          store.addMark(run, one, { operator });
        }
      });
    return notedOf(store.marks(run));
  };
  const noted = withStore(home, noteIn, { readonly: marks.length === 0 });
  terminal.out(json ? jsonLine({ run, ...noted }) : `${run}: ${printableLine(wordsOf(noted))}`);
  return 0;
}

export interface Noted {
  readonly tags: readonly string[];
  readonly note: string;
  /** The shown name; empty if the run has none. */
  readonly name: string;
  readonly archived: boolean;
}

/** The tags and note in one run's marks. */
export function notedOf(marks: readonly MarkRow[]): Noted {
  return {
    tags: marks.filter(({ kind }) => kind === "tag").map(({ value }) => value),
    note: marks.find(({ kind }) => kind === "note")?.value ?? "",
    name: marks.find(({ kind }) => kind === "name")?.value ?? "",
    archived: marks.some(({ kind }) => kind === "archived"),
  };
}

function marksGiven({ tag = [], untag = [], note, archive = false, unarchive = false, name }: MarkOptions): NewMark[] {
  if (archive && unarchive)
    throw new UsageError("--archive and --unarchive contradict each other", "Give one of them.");
  const both = tag.find((word) => untag.includes(word));
  if (both !== undefined)
    throw new UsageError(`--tag ${both} and --untag ${both} contradict each other`, "Give one of them.");
  return [
    ...tag.map((value): NewMark => ({ kind: "tag", value, present: true })),
    ...untag.map((value): NewMark => ({ kind: "tag", value, present: false })),
    ...(note === undefined ? [] : [{ kind: "note" as const, value: note.trim(), present: note.trim() !== "" }]),
    ...(name === undefined ? [] : [{ kind: "name" as const, value: name.trim(), present: name.trim() !== "" }]),
    ...(archive || unarchive ? [{ kind: "archived" as const, value: "", present: archive }] : []),
  ];
}

function wordsOf({ tags, note, name, archived }: Noted): string {
  const parts = [
    ...(name === "" ? [] : [`shown as "${name}"`]),
    ...(tags.length > 0 ? [`tags ${tags.join(", ")}`] : []),
    ...(note === "" ? [] : [`note "${note}"`]),
    ...(archived ? ["archived"] : []),
  ];
  return parts.length === 0 ? "no name, no tags, no note" : parts.join("; ");
}
