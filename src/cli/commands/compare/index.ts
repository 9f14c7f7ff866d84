/** `ballast compare`: how runs differ in their configurations and results. */
import { type Compared, readCompared, settingRows } from "../../../inspect/comparison.ts";
import { figureTitle } from "../../../signals/figure-titles.ts";
import type { Evaluation } from "../../../types/evaluation.ts";
import type { Stage } from "../../../types/records.ts";
import { jsonLine } from "../../json-line.ts";
import { number, percent } from "../../number-format.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";

export interface CompareOptions {
  /** Ids or folders of runs. */
  readonly runs: readonly string[];
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

type Shown = readonly [title: string, stage: Stage, key: string, format: (value: number | undefined) => string];

/** Metrics to show, also for runs without an evaluation. */
const LATEST: readonly Shown[] = [
  ["SFT, held-out loss", "sft", "sft/heldout_loss", (value) => number(value)],
  ["reward model, held-out accuracy", "reward", "reward_model/heldout_accuracy", (value) => percent(value)],
  ["PPO, score of the last rollout", "ppo", "reward/score_mean", (value) => number(value)],
  ["PPO, KL of the last rollout", "ppo", "kl/ref_k3_token", (value) => number(value, 4)],
];

export async function compare({ runs, workspace, json = false, terminal }: CompareOptions): Promise<number> {
  const compared = runs.map((run) => readCompared(run, workspace));
  const settings = settingRows(compared);
  if (json) {
    const sides = compared.map(({ run, state, evaluation, latest }) => ({
      run,
      state,
      before: meansOf(evaluation?.before?.figures),
      after: meansOf(evaluation?.after.figures),
      latest,
    }));
    terminal.out(jsonLine({ runs: sides, config: settings }));
    return 0;
  }
  const c = terminal.outColours;
  const show = (title: string, rows: readonly (readonly string[])[]) => {
    const columns = [{ title, shrinksTo: 12 }, ...compared.map(({ run }) => ({ title: run, shrinksTo: 10 }))];
    for (const line of table({ columns, rows, width: terminal.outWidth(), heading: c.bold })) terminal.out(line);
  };
  if (settings.length === 0) terminal.out("The configurations are the same.");
  else
    show(
      "configuration",
      settings.map(({ key, values }) => [key, ...values.map(settingText)]),
    );
  terminal.out("");
  show("result", resultRows(compared));
  return 0;
}

function settingText(value: unknown): string {
  if (value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function resultRows(compared: readonly Compared[]): string[][] {
  const names = [...new Set(compared.flatMap(({ evaluation }) => Object.keys(evaluation?.after.figures ?? {})))];
  const rows = [["state", ...compared.map(({ state }) => state)]];
  for (const name of names) {
    rows.push([
      figureTitle(name),
      ...compared.map(({ evaluation }) => (evaluation ? beforeAfter(evaluation, name) : "–")),
    ]);
  }
  for (const [title, stage, key, format] of LATEST) {
    const values = compared.map(({ latest }) => latest[stage]?.[key]);
    if (values.some((value) => value !== undefined)) rows.push([title, ...values.map(format)]);
  }
  return rows;
}

/** `46.1% → 100.0%`, or only one side if the other is missing. */
function beforeAfter({ before, after, shares }: Evaluation, name: string): string {
  const show = (value: number | undefined) => (shares.includes(name) ? percent(value) : number(value, 2));
  const values = [before?.figures[name]?.mean, after.figures[name]?.mean];
  return (
    values
      .filter((value) => value !== undefined)
      .map(show)
      .join(" → ") || "–"
  );
}

function meansOf(figures: Evaluation["after"]["figures"] | undefined): Record<string, number> | null {
  return figures ? Object.fromEntries(Object.entries(figures).map(([name, { mean }]) => [name, mean])) : null;
}
