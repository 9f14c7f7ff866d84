/** A survey of rows as lines for the terminal. */
import type { Finding, ShownRow, Survey } from "../../../data/index.ts";
import { counted } from "../../../util/counted.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";

/** A survey with the name of its section: the files, or a key of the configuration. */
export interface NamedSurvey extends Survey {
  readonly name: string;
}

/** Most characters of a shown row. */
const shownCharacters = 1200;

export function surveyLines(
  survey: NamedSurvey,
  { outColours: c, outWidth }: Pick<Terminal, "outColours" | "outWidth">,
): string[] {
  const width = outWidth();
  const { name, use, files, rows, shapes, columns, leftOut, bad, lengths, context, findings, shown } = survey;
  const indented = (text: string) => wrap(text, width - 2).map((line) => `  ${line}`);
  return [
    c.bold(name),
    ...files.slice(0, 10).map(({ path, format }) => `  ${path}: ${format}`),
    ...(files.length > 10 ? [`  and ${files.length - 10} more`] : []),
    "",
    `${counted(rows, "row")} as ${use}`,
    ...Object.entries(shapes).map(([shape, count]) => `  ${String(count).padStart(String(rows).length)}  ${shape}`),
    ...(columns.length > 0 ? indented(`columns of the first row: ${columns.join(", ")}`) : []),
    ...Object.entries(leftOut).map(([why, count]) => `  ${counted(count, "row")} left out ${why}`),
    ...(lengths.length > 0
      ? [
          "",
          ...table({
            columns: [
              { title: `length in ${lengths[0]!.unit}` },
              ...["median", "95%", "longest"].map((title) => ({ title, align: "right" as const })),
            ],
            rows: lengths.map(({ what, median, p95, most }) => [what, ...[median, p95, most].map(String)]),
            width,
            heading: c.bold,
          }),
        ]
      : []),
    ...(context === null ? [] : ["", ...wrap(context, width)]),
    ...findings.flatMap((finding) => ["", ...findingLines(finding, { of: rows, width })]),
    ...(bad === null ? [] : ["", c.red(`${counted(bad.rows, "row")} cannot be used`), ...badLines(bad)]),
    ...shown.flatMap((row) => ["", c.bold(row.place), ...shownLines(row, { c, width })]),
  ];
}

function findingLines({ says, rows, places, remedy }: Finding, { of, width }: { of: number; width: number }): string[] {
  const more = [places.join("; ") + (rows > places.length && places.length > 0 ? "; ..." : ""), remedy ?? ""];
  return [
    ...wrap(`${rows} of ${of} ${says}`, width),
    ...more.filter((text) => text !== "").flatMap((text) => wrap(text, width - 2).map((line) => `  ${line}`)),
  ];
}

function badLines({ message, hint }: { readonly message: string; readonly hint: string | null }): string[] {
  const lines = message.split("\n");
  const list = lines.length > 1 ? lines.slice(1) : lines.map((line) => `  ${line}`);
  return [...list, ...(hint === null ? [] : hint.split("\n").map((line) => `  ${line}`))];
}

/** Tokens with a dot between them; those that are trained on stand between double angle quotes. */
function shownLines({ shows, parts }: ShownRow, { c, width }: { c: Terminal["outColours"]; width: number }): string[] {
  if (shows === "messages") {
    const text = (part: string) => (part.length > shownCharacters ? `${part.slice(0, shownCharacters)}...` : part);
    return parts.flatMap(({ label, text: part, trained }) => {
      const lines = wrap(`${label ?? ""}: ${JSON.stringify(text(part)).slice(1, -1)}`, width - 2);
      return lines.map((line) => `  ${trained ? c.underline(line) : line}`);
    });
  }
  const rows: { label: string | undefined; text: string; inside: boolean }[] = [];
  for (const { text, trained, label } of parts) {
    if (label !== undefined || rows.length === 0) rows.push({ label, text: "", inside: false });
    const row = rows.at(-1)!;
    if (trained !== row.inside) row.text += trained ? " \u00ab" : "\u00bb ";
    else if (row.text !== "") row.text += "\u00b7";
    row.text += JSON.stringify(text).slice(1, -1);
    row.inside = trained;
  }
  return rows.flatMap(({ label, text, inside }) => {
    const end = text.length > shownCharacters ? "..." : inside ? "\u00bb" : "";
    const line = `${label === undefined ? "" : `${label}: `}${text.slice(0, shownCharacters)}${end}`;
    return wrap(line, width - 2).map((part) => `  ${part}`);
  });
}
