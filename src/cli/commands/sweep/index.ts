/** `ballast sweep`: runs of one configuration with several values of some settings, side by side, compared at the end. */
import { createHash } from "node:crypto";
import { basename, extname } from "node:path";
import { loadConfig } from "../../../config/index.ts";
import type { WholeRun } from "../../../lab/run-work.ts";
import { axesFrom, combinations } from "../../../lab/sweep/sweep-axes.ts";
import {
  type OverSeeds,
  type SweepRow,
  type SweepRun,
  summariseSweep,
  sweepCells,
} from "../../../lab/sweep/sweep-cells.ts";
import { figureTitle } from "../../../signals/figure-titles.ts";
import { number } from "../../number-format.ts";
import type { Column } from "../../table.ts";
import { runExperiment, type Section, type SessionOptions } from "../lab/lab-session.ts";

export interface SweepOptions extends SessionOptions {
  /** Path of the YAML file. */
  readonly file: string;
  /** Settings, each `key=value,value` or with a range `1..4`. */
  readonly settings: readonly string[];
  /** The sweep's name; default: the configuration's or the file's. */
  readonly name?: string;
}

export async function sweep(options: SweepOptions): Promise<number> {
  const { file, settings } = options;
  const axes = axesFrom(settings);
  const varied = axes.filter(({ values }) => values.length > 1).map(({ key }) => key);
  const all = combinations(axes);
  const own = all.map((values) => values.filter(([key]) => varied.includes(key)));
  const names = cellNames(own);
  const runs = all.map((values, i): SweepRun => {
    const overrides = values.map(([key, value]) => `${key}=${value}`);
    const { config } = loadConfig(file, overrides, { command: "run" });
    return { cell: names[i]!, values: Object.fromEntries(own[i]!), config };
  });
  const given = options.name ?? runs[0]!.config.name ?? basename(file, extname(file));
  const title = `Sweep of ${basename(file)}${varied.length > 0 ? ` over ${varied.join(", ")}` : ""}`;
  return runExperiment(
    {
      name: `sweep-${given.replace(/[^A-Za-z0-9-]+/g, "-")}`,
      title,
      plan: () => sweepCells(runs),
      line: ({ name, work }, result) => (work === "run" ? runLine(name, result as WholeRun) : null),
      sections: (results) => sections(summariseSweep(runs, results)),
      json: (results) => ({
        rows: summariseSweep(runs, results),
        cells: runs.flatMap(({ cell, values }) =>
          results.has(cell) ? [{ cell, values, ...(results.get(cell) as WholeRun) }] : [],
        ),
      }),
      runs: (results) => runs.flatMap(({ cell }) => (results.has(cell) ? [(results.get(cell) as WholeRun).run] : [])),
    },
    options,
  );
}

/** Names for the runs by what is varied, such as `learningRate-1e-5-seed-2`; with a hash if these are too long or not distinct. */
function cellNames(runs: readonly (readonly (readonly [string, string])[])[]): string[] {
  const plain = runs.map((values) =>
    values
      .map(([key, value]) => `${key.split(".").at(-1)}-${value}`)
      .join("-")
      .replace(/[^A-Za-z0-9]+/g, "-")
      .replace(/^-|-$/g, ""),
  );
  const distinct = new Set(plain.map((name) => name.toLowerCase())).size === plain.length;
  return plain.map((name, i) => {
    if (runs.length === 1) return "run";
    if (distinct && name !== "" && name.length <= 48) return name;
    const hash = createHash("sha256").update(JSON.stringify(runs[i])).digest("hex").slice(0, 8);
    return `${name.slice(0, 40)}-${hash}`.replace(/^-/, "");
  });
}

function runLine(cell: string, { figures, stopped }: WholeRun): string {
  const said = Object.entries(figures).map(([name, value]) => `${name} ${number(value, 3)}`);
  return `${cell}: ${said.join(", ")}${stopped === null ? "" : `; stopped: ${stopped}`}`;
}

function sections(rows: readonly SweepRow[]): Section[] {
  const keys = Object.keys(rows[0]?.values ?? {});
  const names = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const right = { align: "right" } as const;
  const columns: Column[] = [
    ...keys.map((key) => ({ title: key })),
    { title: "seeds", ...right },
    ...names.map((name) => ({ title: figureTitle(name), ...right })),
  ];
  const cells = ({ values, runs, stopped }: SweepRow, figures: SweepRow["figures"]) => [
    ...keys.map((key) => values[key]!),
    `${runs}${stopped > 0 ? ` (${stopped} stopped)` : ""}`,
    ...names.map((name) => spread(figures[name])),
  ];
  const compared = rows.filter(({ differences }) => Object.keys(differences ?? {}).length > 0);
  const first = keys.map((key) => `${key}=${rows[0]?.values[key]}`).join(" ");
  return [
    {
      title: "After training",
      columns,
      rows: rows.map((row) => cells(row, row.figures)),
      notes: ["Means over seeds with their 95% interval (Student's t); one seed has none."],
    },
    ...(compared.length === 0
      ? []
      : [
          {
            title: `Difference to ${first}`,
            columns,
            rows: compared.map((row) => cells(row, row.differences!)),
            notes: [`Differences to ${first}, paired by seed, with their 95% interval.`],
          },
        ]),
  ];
}

function spread(figure: OverSeeds | undefined): string {
  if (figure === undefined) return "–";
  const { mean, low, high } = figure;
  return Number.isNaN(low) ? number(mean, 3) : `${number(mean, 3)} ± ${number((high - low) / 2, 3)}`;
}
