/** Buttons that give a table away: to paste into a text, or into a spreadsheet. */
import { useSignal } from "@preact/signals";
import { save } from "./chart-files.ts";
import { copied } from "./parts.tsx";
import { csvTable, markdownTable, type PlainTable } from "./table-files.ts";

export function TableCopies({ table, title }: { readonly table: () => PlainTable; readonly title: string }) {
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
        onClick={() => save(`${title}.csv`, "text/csv", csvTable(table()))}
      >
        CSV
      </button>
    </span>
  );
}
