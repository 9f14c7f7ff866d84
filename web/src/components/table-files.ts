/** A table as Markdown and as CSV. */
import { visible } from "../format.ts";

export type Cell = string | number | null | undefined;

export interface PlainTable<In extends Cell = string> {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly In[])[];
}

export function csvTable({ columns, rows }: PlainTable<Cell>): string {
  return `${[columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** A cell of CSV: quoted if necessary, and never read as a formula by a spreadsheet. */
function cell(value: Cell): string {
  if (typeof value !== "string") return String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function markdownTable({ columns, rows }: PlainTable): string {
  const line = (cells: readonly string[]) => `| ${cells.map(plain).join(" | ")} |`;
  return `${[line(columns), line(columns.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}

/** Text with everything escaped that Markdown or HTML would act upon. */
function plain(text: string): string {
  if (/^-+$/.test(text)) return text;
  return visible(text)
    .replace(/\s+/g, " ")
    .replace(/[\\`*_[\]|]/g, "\\$&")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;");
}
