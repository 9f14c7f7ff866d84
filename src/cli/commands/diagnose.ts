/** `ballast diagnose`: likely causes of what a run shows, with their evidence and remedies. */
import type { Config } from "../../config/index.ts";
import {
  type Diagnosis,
  type DiagnosisInput,
  diagnose as diagnoseHistory,
  iterationsDone,
  likelihood,
  symptoms,
} from "../../control/diagnosis/index.ts";
import type { Store } from "../../store/index.ts";
import { jsonLine } from "../json.ts";
import type { Machine } from "../machine.ts";
import { readRunHistory } from "../run-history.ts";
import { printable, printableLine } from "../sanitize.ts";
import type { Terminal } from "../terminal.ts";
import { cut, wrap } from "../width.ts";

export interface DiagnoseOptions {
  /** A run's id or folder. */
  readonly run: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function diagnose({ run, workspace, json = false, terminal }: DiagnoseOptions): Promise<number> {
  const { place, config, history, more } = readRunHistory(run, workspace, readMore);
  // What is measured at the end stands one past the last iteration.
  const done = Math.min(config.ppo!.iterations, iterationsDone(history));
  const found = diagnoseHistory({
    history,
    done,
    settings: settingsOf(config),
    entropyScale: config.control.entropy.scale,
    evaluationIsTraining: !config.evaluation.prompts && !(config.demo && !config.ppo?.prompts),
    ...more,
  });
  if (json) terminal.out(jsonLine({ run: place.id, iterations: done, diagnoses: found }));
  else
    for (const line of lines(found, { id: place.id, done, objective: config.objective }, terminal)) terminal.out(line);
  return 0;
}

function settingsOf({ ppo }: Config): DiagnosisInput["settings"] {
  const { sequences, minibatches, responsesPerPrompt, epochs, learningRate, clipHigh, valueClip, kl } = ppo!;
  const { entropyCoef, temperature, gamma, lambda, maxGradNorm, maxNewTokens, microBatch, rewards } = ppo!;
  return {
    ...{ sequences, minibatches, responsesPerPrompt, epochs, learningRate, clipHigh, valueClip },
    ...{ entropyCoef, temperature, gamma, lambda, maxGradNorm, maxNewTokens, microBatch },
    klCoef: kl.coef,
    criticLearningRate: ppo!.criticKind === "shared" ? null : (ppo!.criticLearningRate ?? 2 * learningRate),
    lengthReward: rewards.some(({ kind, weight }) => kind === "length" && weight !== 0),
  };
}

type More = Pick<DiagnosisInput, "messages" | "lost" | "memoryMb" | "samples">;

function readMore(store: Store, { id }: { id: string }): More {
  const run = store.run(id);
  const events = (kind: "error" | "warning") => store.events(id, { kind, current: true }).rows;
  const messages = [...events("error"), ...events("warning")].map(({ message }) => message);
  const { memoryGb } = JSON.parse(run?.machine ?? "{}") as Partial<Machine>;
  const newest = store.latest(id, "ppo").find(({ key }) => key === "reward/score_mean")?.iteration;
  const samples = newest === undefined ? [] : store.samples(id, "ppo", newest);
  return {
    messages,
    lost: run?.state === "lost",
    memoryMb: memoryGb === undefined ? null : 1024 * memoryGb,
    samples: samples.map(({ prompt, response, score }) => ({ prompt, response, score })),
  };
}

const words = new Map<number, string>(Object.entries(likelihood).map(([word, value]) => [value, word]));
// A likelihood has a shape and a word, never colour alone.
const SHAPES: Readonly<Record<string, string>> = { likely: "●", possible: "◐", conceivable: "○" };

function lines(
  found: readonly Diagnosis[],
  { id, done, objective }: { id: string; done: number; objective: string },
  terminal: Terminal,
): string[] {
  const { outColours: c } = terminal;
  const width = terminal.outWidth();
  const head = [c.bold(`${id}, ${done} iterations`), ...wrap(printableLine(objective), width), ""];
  if (found.length === 0) return [...head, "No symptom of anything: docs/diagnosis.md says what was looked for."];
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
