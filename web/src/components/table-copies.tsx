/** Buttons that give a table away: to paste into a text, or into a spreadsheet. */
import { useSignal } from "@preact/signals";
import { save } from "./chart-files.ts";
import { csvTable, markdownTable, type PlainTable } from "./table-files.ts";

export function TableCopies({ table, title }: { readonly table: () => PlainTable; readonly title: string }) {
  const said = useSignal("");
  const copy = async () => {
    // Without a secure origin there is no clipboard.
    const done = await navigator.clipboard?.writeText(markdownTable(table())).then(
      () => true,
      () => false,
    );
    if (done !== true) save(`${title}.md`, "text/markdown", markdownTable(table()));
    said.value = done === true ? "copied" : "saved";
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
