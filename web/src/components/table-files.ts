/** A table as Markdown and as CSV. */
import { visible } from "../format.ts";
import { cell } from "./chart-files.ts";

export interface PlainTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function csvTable({ columns, rows }: PlainTable): string {
  return `${[columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

export function markdownTable({ columns, rows }: PlainTable): string {
  const line = (cells: readonly string[]) => `| ${cells.map(plain).join(" | ")} |`;
  return `${[line(columns), line(columns.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}

/** Text stays text: what Markdown or HTML would act upon is escaped. */
function plain(text: string): string {
  if (/^-+$/.test(text)) return text;
  return visible(text)
    .replace(/\s+/g, " ")
    .replace(/[\\`*_[\]|]/g, "\\$&")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;");
}
