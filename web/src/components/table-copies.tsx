/** Buttons that copy a table, to paste into a text or a spreadsheet. */
import { useSignal } from "@preact/signals";
import { save } from "./chart-files.ts";
import { copied } from "./parts.tsx";
import { type Cell, csvTable, markdownTable, type PlainTable } from "./table-files.ts";

export interface TableCopiesProps {
  readonly table: () => PlainTable;
  /** The table in numbers, if it shows words. */
  readonly numbers?: () => PlainTable<Cell>;
  readonly title: string;
}

export function TableCopies({ table, numbers = table, title }: TableCopiesProps) {
  const said = useSignal("");
  const copy = async () => {
    const text = markdownTable(table());
    const done = await copied(text);
    if (!done) save(`${title}.md`, "text/markdown", text);
    said.value = done ? "copied" : "saved";
    setTimeout(() => {
      said.value = "";
    }, 1500);
  };
  return (
    <span class="table-copies">
      <span role="status">{said.value}</span>
      <button type="button" class="ghost" aria-label={`copy as Markdown: ${title}`} onClick={copy}>
        copy as Markdown
      </button>
      <button
        type="button"
        class="ghost"
        aria-label={`CSV: ${title}`}
        onClick={() => save(`${title}.csv`, "text/csv", csvTable(numbers()))}
      >
        CSV
      </button>
    </span>
  );
}
