/** A survey of rows as one HTML page without scripts: light and dark, for a desk and a phone. */
import type { ShownRow } from "../../../data/index.ts";
import { counted } from "../../../util/counted.ts";
import type { NamedSurvey } from "./survey-text.ts";

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --page: #fff; --faint: #57606a; --line: #d0d7de; --trained: #cfe8d5; --bad: #a40e26; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --page: #0d1117; --faint: #9198a1; --line: #3d444d; --trained: #1c4428; --bad: #ff8e8e; } }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.2rem; border-top: 1px solid var(--line); padding-top: 1rem; overflow-wrap: anywhere; } h3 { font-size: 1rem; margin-bottom: .25rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th, td { padding: .2rem .8rem .2rem 0; text-align: right; } th:first-child, td:first-child { text-align: left; }
p, li, pre { overflow-wrap: anywhere; } pre { white-space: pre-wrap; } .faint { color: var(--faint); } .bad { color: var(--bad); }
.row { white-space: pre-wrap; font: 14px/1.8 ui-monospace, monospace; overflow-wrap: anywhere; }
.row span { border: 1px solid var(--line); border-radius: 3px; padding: 0 1px; } .row .trained { background: var(--trained); text-decoration: underline; }
`;

/** The page, complete in itself. */
export function surveyPage(surveys: readonly NamedSurvey[]): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data: ${escaped(surveys.map(({ name }) => name).join(", "))}</title><style>${style}</style></head>
<body><h1>What was understood of the data</h1>
${surveys.map(section).join("\n")}
</body></html>
`;
}

function section({
  name,
  use,
  files,
  rows,
  shapes,
  columns,
  leftOut,
  bad,
  lengths,
  context,
  findings,
  shown,
}: NamedSurvey): string {
  const list = (items: readonly string[]) =>
    items.length === 0 ? "" : `<ul>${items.map((item) => `<li>${item}</li>`).join("")}</ul>`;
  return [
    `<section><h2>${escaped(name)}</h2>`,
    `<p><strong>${counted(rows, "row")}</strong> as ${use}, from ${escaped(files.map(({ path, format }) => `${path} (${format})`).join(", "))}.</p>`,
    list([
      ...Object.entries(shapes).map(([shape, count]) => `${count}: ${escaped(shape)}`),
      ...(columns.length > 0 ? [`columns of the first row: ${escaped(columns.join(", "))}`] : []),
      ...Object.entries(leftOut).map(([why, count]) => `${counted(count, "row")} left out ${escaped(why)}`),
    ]),
    lengths.length === 0
      ? ""
      : `<h3>Lengths</h3><table><tr><th>${lengths[0]!.unit}</th><th>median</th><th>95%</th><th>longest</th></tr>${lengths
          .map(
            ({ what, median, p95, most }) =>
              `<tr><td>${what}</td><td>${median}</td><td>${p95}</td><td>${most}</td></tr>`,
          )
          .join("")}</table>`,
    context === null ? "" : `<p>${escaped(context)}</p>`,
    findings.length === 0 ? "" : "<h3>Worth a look</h3>",
    list(
      findings.map(
        (finding) =>
          `${finding.rows} of ${rows} ${escaped(finding.says)}${finding.places.length > 0 ? `<br><span class="faint">${escaped(finding.places.join("; "))}</span>` : ""}${finding.remedy === undefined ? "" : `<br>${escaped(finding.remedy)}`}`,
      ),
    ),
    bad === null
      ? ""
      : `<h3 class="bad">${counted(bad.rows, "row")} cannot be used</h3><pre>${escaped(bad.message)}${bad.hint === null ? "" : `\n\n${escaped(bad.hint)}`}</pre>`,
    shown.length === 0 ? "" : `<p class="faint">Rows as the model reads them; what is trained on is underlined.</p>`,
    ...shown.map(shownRow),
    "</section>",
  ].join("\n");
}

function shownRow({ place, parts }: ShownRow): string {
  const spans = parts.map(
    ({ text, trained, label }) =>
      `${label === undefined ? "" : `${"\n"}<strong>${escaped(label)}</strong> `}<span${trained ? ' class="trained"' : ""}>${escaped(text)}</span>`,
  );
  return `<h3>${escaped(place)}</h3><div class="row">${spans.join("")}</div>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
