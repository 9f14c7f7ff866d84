/** The end of a finished run: the report, where it is and what to type next; or one line of JSON. */
import type { Config } from "../config/index.ts";
import type { RunPlace } from "../inspect/places.ts";
import type { PipelineResult } from "../run/pipeline.ts";
import type { ModelEvaluation } from "../types/evaluation.ts";
import { reportLines } from "./evaluation-report.ts";
import { runArgument, selfName, workspaceOption } from "./find-run.ts";
import { jsonLine } from "./json-line.ts";
import { duration, number, percent } from "./number-format.ts";
import { shortPath } from "./short-path.ts";
import type { Terminal } from "./terminal.ts";
import type { SessionResult } from "./training-session.ts";
import { wrap } from "./width.ts";

export interface FinishedRun extends SessionResult {
  readonly config: Config;
  readonly place: RunPlace;
}

/** Prints the end of a run. With `json` stdout gets only one line of JSON; the report for people goes to stderr. */
export function printResult(run: FinishedRun, { terminal, json }: { terminal: Terminal; json: boolean }): void {
  if (!json) {
    for (const line of resultLines(run, terminal)) terminal.out(line);
    return;
  }
  const onNotes = { outColours: terminal.noteColours, outWidth: terminal.noteWidth };
  for (const line of resultLines(run, onNotes)) terminal.note(line);
  terminal.out(jsonLine(resultJson(run)));
}

/** The JSON of a finished run. `before` and `after` are present if the run had PPO. */
function resultJson({ config, place, seconds, head, result }: FinishedRun): Record<string, unknown> {
  const { evaluation, stages, final } = result;
  const figures = (model: ModelEvaluation, names: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(names).flatMap(([key, figure]) => {
        const estimate = model.figures[figure];
        return estimate ? [[key, estimate.mean]] : [];
      }),
    );
  const checks = Object.fromEntries((evaluation?.shares ?? []).map((name) => [name, name]));
  const shown = { ...checks, reward: "reward", length: "length" };
  return {
    seconds: Number(seconds.toFixed(3)),
    seed: config.seed,
    run: place.id,
    ...(evaluation?.before ? { before: figures(evaluation.before, shown) } : {}),
    ...(evaluation ? { after: figures(evaluation.after, { ...shown, kl: "klK3Token" }) } : {}),
    ...(evaluation ? { samples: evaluation.samples, distinctPrompts: evaluation.distinctPrompts } : {}),
    folder: place.folder,
    final,
    head,
    stages: stages.map(({ stage, steps, folder, values }) => ({ stage, steps, folder, values })),
  };
}

function resultLines(
  { config, place, seconds, head, result }: FinishedRun,
  terminal: Pick<Terminal, "outColours" | "outWidth">,
): string[] {
  const c = terminal.outColours;
  const self = selfName();
  const next = nextCommands({ config, result, place }).map((line) => `  ${self} ${line}`);
  const report = result.evaluation
    ? reportLines(
        { evaluation: result.evaluation, notes: notes(result, config), learned: rewardIsLearned(config) },
        terminal,
      )
    : notes(result, config).flatMap((note) => wrap(note, terminal.outWidth()));
  return [
    "",
    ...report,
    ...(report.length > 0 ? [""] : []),
    ...wrap(
      `Done in ${duration(seconds)}. The run is ${c.bold(place.id)}, in ${shortPath(place.folder)}; its model is in ${shortPath(result.final)}.`,
      terminal.outWidth(),
    ),
    ...(head === null ? [] : wrap(c.dim(`The head of its record, for ${self} audit: ${head}`), terminal.outWidth())),
    "Next:",
    ...next,
  ];
}

/** Whether the reward consists only of a learned model. */
export function rewardIsLearned({ ppo }: Config): boolean {
  return ppo?.rewards.every(({ kind }) => kind === "model") ?? false;
}

function nextCommands({ config, result, place }: Pick<FinishedRun, "config" | "result" | "place">): string[] {
  const run = runArgument(place);
  const speaks = result.stages.some(({ stage }) => stage !== "reward");
  const standardDemo = config.demo?.variant === "standard" && result.evaluation !== null;
  return [
    ...(speaks ? [`generate ${run} ${config.demo ? '"what is 2 plus 3 ?"' : '"your prompt"'}`] : []),
    ...(result.evaluation ? [`eval ${run} --samples 4096`] : []),
    ...(standardDemo ? [`demo demo.variant=overoptimise   # PPO against a bad reward model`] : []),
    `runs${workspaceOption(place.workspace)}`,
  ];
}

/** The quality of the reward model, in a sentence. */
function notes({ stages }: PipelineResult, { demo }: Config): string[] {
  return stages.flatMap(({ values }) => {
    const of = (key: string) => values[`reward_model/heldout_${key}`];
    if (of("accuracy") === undefined) return [];
    const interval = `[${number(100 * of("accuracy_low")!, 1)}, ${number(100 * of("accuracy_high")!, 1)}]`;
    const labels = demo ? "; their labels are clean, while one in ten of its training labels is flipped" : "";
    return [`The reward model ranks ${percent(of("accuracy"))} ${interval} of the held-out pairs correctly${labels}.`];
  });
}
