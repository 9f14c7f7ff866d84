/** `ballast next`: says whether a round of an experiment succeeded, by which numbers, and writes the next round's configuration. */
import { existsSync } from "node:fs";
import { type Config, loadConfig } from "../../../config/index.ts";
import { experimentStages } from "../../../control/doctor/index.ts";
import {
  type JudgedMeasure,
  judgeRound,
  type RoundJudgement,
  type RoundVerdict,
  said,
} from "../../../control/rounds/judge-round.ts";
import { nextStep } from "../../../control/rounds/next-round.ts";
import { configOf } from "../../../inspect/places.ts";
import { seenOf } from "../../../inspect/run-diagnosis.ts";
import { failureOf } from "../../../inspect/run-failure.ts";
import { readRunHistory } from "../../../inspect/run-history.ts";
import { roundOf } from "../../../inspect/run-round.ts";
import { goldPlan } from "../../../trainer/gold-plan.ts";
import { openRows } from "../../../trainer/run-rows.ts";
import { writeDurably } from "../../../util/durable.ts";
import { BallastError, UsageError } from "../../../util/errors.ts";
import { shellWord } from "../../../util/platform.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { asTyped, runArgument, selfName } from "../../find-run.ts";
import { jsonLine } from "../../json-line.ts";
import { number, percent } from "../../number-format.ts";
import { shortPath } from "../../short-path.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";
import { harderPrompts } from "./harder-prompts.ts";
import { roundText } from "./round-file.ts";

export interface NextOptions {
  /** A run's id or folder. */
  readonly run: string;
  /** Files of further prompts, for wider data. */
  readonly prompts?: readonly string[];
  /** Files of prompts to be judged on. */
  readonly evaluation?: readonly string[];
  /** The file to write. */
  readonly out?: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

const words: Readonly<Record<RoundVerdict, string>> = {
  moved: "✓ it succeeded",
  flat: "· nothing moved beyond noise",
  worse: "✗ it got worse",
  lost: "✗ it moved, and less than the round before",
  suspect: "! suspect the reward",
  unproven: "· it proves nothing yet",
  unfinished: "· it has not ended",
  failed: "✗ it failed",
};

/** Returns 0 if the round can be judged, else 1. */
export async function next(options: NextOptions): Promise<number> {
  const { run, prompts = [], evaluation = [], workspace, json = false, terminal } = options;
  const { place, config, history, more } = readRunHistory(run, workspace, (store, at) => ({
    seen: seenOf(store, at),
    failure: failureOf(store, store.run(at.id), runArgument(at)),
  }));
  const { record, settings, previous } = roundOf({
    place,
    config,
    history,
    ...more,
    independent: hasIndependentCheck(config),
  });
  const judged = judgeRound(record);
  const files = { prompts: prompts.length > 0, evaluation: evaluation.length > 0 };
  const { next: round, advice } = nextStep(record, judged, { settings, files });
  // A refinement that did not help is undone: the next one starts where that one started.
  const again = record.stage === 2 && round?.stage === 2 && ["flat", "worse", "lost"].includes(judged.verdict);
  const base = again && previous !== null ? previous : place;
  const name = `${(config.name ?? place.id.replace(/-\d+$/, "")).replace(/-round-\d+$/, "")}-round-${round?.stage ?? record.stage}`;
  const written = round && write();
  const command = asTyped(advice.replaceAll(/\bRUN\b/g, () => runArgument(place)));
  if (json)
    terminal.out(
      jsonLine({ run: place.id, round: record.stage, ...judged, next: round, file: written, advice: command }),
    );
  else for (const line of lines()) terminal.out(line);
  return judged.verdict === "unfinished" || judged.verdict === "failed" ? 1 : 0;

  function write(): string {
    const out = options.out ?? `${name}.yaml`;
    if (existsSync(out))
      throw new UsageError(`there is already a file ${out}`, "Name a different one: --out FILE.yaml.");
    for (const file of [...prompts, ...evaluation])
      if (!existsSync(file)) throw new UsageError(`there is no file ${file}`, "Name a file of rows.");
    const own = [...evaluation];
    if (round!.subject === "evaluation" && own.length === 0) {
      const harder = `${out.replace(/\.ya?ml$/, "")}-prompts.jsonl`;
      if (existsSync(harder)) throw new UsageError(`there is already a file ${harder}`, "Name a different --out.");
      writeDurably(harder, harderPrompts(config));
      own.push(harder);
    }
    const because = [`Round ${record.stage} (${place.id}): ${words[judged.verdict].slice(2)}; ${judged.reasons[0]}.`];
    const text = roundText({
      out,
      base,
      config: configOf(base),
      round: round!,
      name,
      because,
      prompts,
      evaluation: own,
    });
    writeDurably(out, text);
    loadConfig(out);
    return out;
  }

  function lines(): string[] {
    const { outColours: c, outWidth } = terminal;
    const width = outWidth();
    const bullet = (text: string) =>
      wrap(printableLine(text), width - 4).map((line, i) => `${i === 0 ? "  - " : "    "}${line}`);
    return [
      c.bold(`${place.id}, round ${record.stage} of 4: ${experimentStages[record.stage].asks}`),
      ...wrap(printableLine(config.objective), width),
      "",
      c.bold(words[judged.verdict]),
      ...judged.reasons.flatMap(bullet),
      ...(judged.measures.length > 0 ? ["", ...measureLines(judged, terminal)] : []),
      ...(judged.signs.length > 0
        ? ["", "First signs, which are consistency and caution:", ...judged.signs.flatMap(bullet)]
        : []),
      "",
      c.bold("Next"),
      ...wrap(printableLine(command), width),
      ...(written === null
        ? []
        : [
            `  ${shortPath(written)} is round ${round!.stage}; it extends ${base.id} and changes ${round!.subject === "settings" ? "one setting" : `the ${round!.subject}`}`,
            `  ${selfName()} doctor ${shellWord(written)}`,
            `  ${selfName()} run ${shellWord(written)}`,
          ]),
    ];
  }
}

/** Whether a check judges something else than the reward; false if the rows that would say so are gone. */
function hasIndependentCheck(config: Config): boolean {
  try {
    return goldPlan(config, openRows(config)).independent;
  } catch (error) {
    if (error instanceof BallastError) return false;
    throw error;
  }
}

function measureLines({ measures }: RoundJudgement, { outColours: c, outWidth }: Terminal): string[] {
  const show = ({ share }: JudgedMeasure, value: number) => (share ? percent(value) : number(value, 2));
  const verdicts = { up: "up", down: "down", flat: "within noise" };
  return table({
    columns: [
      { title: "judged by" },
      { title: "before", align: "right" },
      { title: "after", align: "right" },
      { title: "difference", align: "right" },
      { title: "" },
    ],
    rows: measures.map((one) => [
      one.title,
      show(one, one.before),
      show(one, one.after),
      said(one),
      verdicts[one.verdict],
    ]),
    width: outWidth(),
    heading: c.bold,
  });
}
