/** `ballast diagnose`: likely causes of what a run shows, with their evidence and remedies. */
import { type Diagnosis, likelihood, symptoms } from "../../../control/diagnosis/index.ts";
import type { RunPlace } from "../../../inspect/places.ts";
import { diagnosisOf, seenOf } from "../../../inspect/run-diagnosis.ts";
import { failureOf, type RunFailure } from "../../../inspect/run-failure.ts";
import { readRunHistory } from "../../../inspect/run-history.ts";
import { counted } from "../../../util/counted.ts";
import { printable, printableLine } from "../../../util/sanitize.ts";
import { asTyped, runArgument, selfName, workspaceOption } from "../../find-run.ts";
import { jsonLine } from "../../json-line.ts";
import type { Terminal } from "../../terminal.ts";
import { cut, wrap } from "../../width.ts";

export interface DiagnoseOptions {
  /** A run's id or folder. */
  readonly run: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function diagnose({ run, workspace, json = false, terminal }: DiagnoseOptions): Promise<number> {
  const { place, config, history, more } = readRunHistory(run, workspace, (store, at) => ({
    seen: seenOf(store, at),
    failure: failureOf(store, store.run(at.id), runArgument(at)),
  }));
  const { seen, failure } = more;
  const { done, found } = diagnosisOf({ config, history, seen });
  if (json) terminal.out(jsonLine({ run: place.id, iterations: done, failure, diagnoses: found }));
  else
    for (const line of lines(found, { ...place, done, failure, objective: config.objective }, terminal))
      terminal.out(line);
  return 0;
}

const words = new Map<number, string>(Object.entries(likelihood).map(([word, value]) => [value, word]));
// A likelihood is shown by a shape and a word, never only by colour.
const SHAPES: Readonly<Record<string, string>> = { likely: "●", possible: "◐", conceivable: "○" };

interface Judged extends RunPlace {
  readonly done: number;
  readonly failure: RunFailure | null;
  readonly objective: string;
}

function lines(
  found: readonly Diagnosis[],
  { id, done, failure, objective, workspace }: Judged,
  terminal: Terminal,
): string[] {
  const { outColours: c } = terminal;
  const width = terminal.outWidth();
  const iterations = done === 0 ? "no PPO iteration yet" : counted(done, "iteration");
  const head = [c.bold(`${id}, ${iterations}`), ...wrap(printableLine(objective), width), ""];
  if (failure !== null) {
    head.push(...wrap(`It failed: ${printable(failure.message)}`, width));
    if (failure.hint !== null) head.push(...wrap(asTyped(printable(failure.hint)), width));
    head.push("");
  }
  if (done === 0) {
    if (failure !== null && found.length === 0) return head;
    const runs = `${selfName()} runs${workspaceOption(workspace)}`;
    head.push(...wrap(`There is no PPO iteration to judge yet; ${runs} shows where the run stands.`, width));
    if (found.length === 0) return head;
    head.push("");
  }
  if (found.length === 0) return [...head, "No symptom found. docs/diagnosis.md lists what was checked."];
  return [
    ...head,
    ...found.flatMap((diagnosis) => {
      const word = words.get(diagnosis.likelihood) ?? "";
      const colour = word === "likely" ? c.red : word === "possible" ? c.yellow : c.dim;
      const title = `${diagnosis.cause}  (${symptoms[diagnosis.symptom]})`;
      const label = `${SHAPES[word]} ${word}`;
      return [
        ...wrap(title, width - label.length - 2).map((line, i) =>
          i === 0 ? `${colour(label)}  ${c.bold(line)}` : " ".repeat(label.length + 2) + c.bold(line),
        ),
        ...labelled("seen", diagnosis.seen, width),
        ...labelled("evidence", diagnosis.evidence, width),
        ...labelled("remedy", diagnosis.remedy, width),
        ...diagnosis.samples.map(({ prompt, response, score }) =>
          c.dim(cut(`  ${score.toFixed(2).padStart(8)}  ${printableLine(prompt)} → ${printableLine(response)}`, width)),
        ),
        "",
      ];
    }),
  ];
}

const LABEL = 12;

function labelled(label: string, text: string, width: number): string[] {
  return wrap(printable(text), Math.max(20, width - LABEL)).map(
    (line, i) => `${(i === 0 ? `  ${label}` : "").padEnd(LABEL)}${line}`,
  );
}
