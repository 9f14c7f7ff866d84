/** One experiment: its findings in sentences, its tables with their pictures, and its runs. */
import type { LabAnswer } from "../../../../src/types/page.ts";
import { DotKey, Intervals, scaleOf, Ticks } from "../../components/intervals.tsx";
import { Empty } from "../../components/parts.tsx";
import { Scroll } from "../../components/scroll.tsx";
import { TableCopies } from "../../components/table-copies.tsx";
import { figure, plural, visible } from "../../format.ts";
import { hashOf } from "../../router.ts";
import { isNumeric, type Picture, picturesOf } from "./pictures.ts";

export type LabExperiment = LabAnswer["experiments"][number];
type Table = LabExperiment["tables"][number];

/** Most runs in a link to the comparison. */
const mostCompared = 8;

export function Experiment({ experiment }: { readonly experiment: LabExperiment }) {
  const { notes, tables, runs } = experiment;
  return (
    <>
      {tables.length === 0 && <Empty>This experiment has no table yet: its runs are still in progress.</Empty>}
      {tables.map((table, i) => (
        <LabTable key={i} table={table} runs={runs} />
      ))}
      {notes.length > 0 && (
        <ul class="lab-notes">
          {notes.map((note) => (
            <li key={note}>{visible(note)}</li>
          ))}
        </ul>
      )}
      <Runs runs={runs} />
    </>
  );
}

function LabTable({ table, runs }: { readonly table: Table; readonly runs: readonly string[] }) {
  const { title, columns, rows } = table;
  const pictures = picturesOf(table);
  const numeric = columns.map((_, column) => column > 0 && isNumeric(rows, column));
  const own = rows.map(([name = ""]) => runsOf(name, runs));
  const linked = own.some((ids) => ids.length > 0);
  return (
    <section class="card lab-table" aria-label={title}>
      <header>
        <h3>{visible(title)}</h3>
        <TableCopies title={title} table={() => table} />
      </header>
      <div class={pictures.length === 1 ? "beside" : ""}>
        <Scroll label={`table: ${title}`}>
          <table>
            <thead>
              <tr>
                {columns.map((column, c) => (
                  <th key={c} class={numeric[c] ? "number" : ""}>
                    {visible(column)}
                  </th>
                ))}
                {linked && <th class="number">compare</th>}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, r) => (
                <tr key={r}>
                  {columns.map((_, c) => {
                    const text = visible(row[c] ?? "");
                    return c === 0 ? (
                      <th key={c} scope="row">
                        {text}
                      </th>
                    ) : (
                      <td key={c} class={numeric[c] ? "number" : ""}>
                        {text}
                      </td>
                    );
                  })}
                  {linked && (
                    <td class="number">
                      <CompareLink name={row[0] ?? ""} runs={own[r]!} />
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
        {pictures.map((picture, i) => (
          <Dots key={i} picture={picture} title={title} />
        ))}
      </div>
    </section>
  );
}

function CompareLink({ name, runs }: { readonly name: string; readonly runs: readonly string[] }) {
  if (runs.length === 0) return <>–</>;
  const taken = runs.slice(0, mostCompared);
  const says = taken.length < runs.length ? `${taken.length} of ${runs.length}` : String(runs.length);
  return (
    <a href={hashOf(["compare"], { runs: taken.join(",") })} aria-label={`compare ${says} runs of ${name}`}>
      {says}
    </a>
  );
}

/** Dots with intervals on one scale, one row for each of the table's. */
function Dots({ picture: { series, rows }, title }: { readonly picture: Picture; readonly title: string }) {
  const { grid, ...scale } = scaleOf(rows.flatMap(({ items }) => items));
  return (
    <figure class="dots" aria-label={`${title}, as a picture`}>
      <figcaption>
        {series.map(({ title: name, shape, colour }) => (
          <span key={name}>
            <DotKey shape={shape} colour={colour} /> {visible(name)}
          </span>
        ))}
      </figcaption>
      <div class="dot-rows">
        {rows.map(({ label, items }, i) => (
          <div key={i}>
            <span class="dot-label">{visible(label)}</span>
            <Intervals
              items={items}
              scale={scale}
              grid={grid}
              label={`${label}: ${items.map((one) => `${one.label} ${one.mean}, ${figure(one.low)} to ${figure(one.high)}`).join("; ")}`}
            />
          </div>
        ))}
        <div class="dot-axis" aria-hidden="true">
          <span />
          <Ticks grid={grid} scale={scale} text={(value) => figure(value, 3)} />
        </div>
      </div>
    </figure>
  );
}

function Runs({ runs }: { readonly runs: readonly string[] }) {
  if (runs.length === 0)
    return (
      <p class="quiet">
        Its runs are not in this workspace: <code>ballast serve --workspace</code> with the laboratory's folder shows
        them.
      </p>
    );
  return (
    <details class="lab-runs">
      <summary>{plural(runs.length, "run")}</summary>
      <ul>
        {runs.map((run) => (
          <li key={run}>
            <a href={hashOf(["runs", run])}>{visible(run)}</a>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** The runs of a row, by the laboratory's names: `lr-spike-11-on-1` belongs to `lr-spike`. */
export function runsOf(name: string, runs: readonly string[]): string[] {
  return name === "" ? [] : runs.filter((run) => run.startsWith(`${name}-`) && /^\d/.test(run.slice(name.length + 1)));
}
