/** Likely causes of what a run shows, from its record. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import type { Config } from "../config/index.ts";
import {
  type Diagnosis,
  type DiagnosisInput,
  diagnose,
  iterationsDone,
  type RunHistory,
} from "../control/diagnosis/index.ts";
import { ppoFacts } from "../control/doctor/index.ts";
import { inspectModelFolder } from "../models/hf-folder.ts";
import { parameterCount } from "../models/model-size.ts";
import type { Store } from "../store/index.ts";
import { hasWeights } from "../util/weight-files.ts";
import { fileOf } from "./run-files.ts";

export interface DiagnosisOptions {
  /** The run's configuration, which must have PPO. */
  readonly config: Config;
  readonly history: RunHistory;
  readonly seen: Seen;
}

export function diagnosisOf({ config, history, seen: { folder, ...seen } }: DiagnosisOptions): {
  /** Iterations done. */
  readonly done: number;
  readonly found: readonly Diagnosis[];
} {
  // Measurements at the end are recorded one past the last iteration.
  const done = Math.min(config.ppo!.iterations, iterationsDone(history));
  const found = diagnose({
    history,
    done,
    settings: settingsOf(config),
    model: modelOf(config, folder),
    entropyScale: config.control.entropy.scale,
    ...seen,
  });
  return { done, found };
}

function settingsOf({ ppo }: Config): DiagnosisInput["settings"] {
  return {
    ...ppoFacts(ppo!),
    microBatch: ppo!.microBatch,
    lengthReward: ppo!.rewards.some(({ kind, weight }) => kind === "length" && weight !== 0),
  };
}

/** The size of the policy in a run's folder: of its newest model, or of the folder that it starts from. */
function modelOf({ ppo, model, lora }: Config, folder: string | null): DiagnosisInput["model"] {
  const own =
    folder === null ? [] : [join(folder, "ppo", "final"), join(folder, "sft", "final"), ...checkpointsOf(folder)];
  const found = [...own, ppo?.policy, model.path].find((path) => path !== undefined && hasWeights(path));
  if (found === undefined) return { parameters: null, lora: lora !== undefined };
  try {
    const { config } = inspectModelFolder(found);
    return { parameters: parameterCount(config, ["lm"]), lora: lora !== undefined };
  } catch {
    return { parameters: null, lora: lora !== undefined };
  }
}

function checkpointsOf(folder: string): string[] {
  const ppo = join(folder, "ppo");
  if (!existsSync(ppo)) return [];
  return readdirSync(ppo)
    .filter((name) => name.startsWith("checkpoint-"))
    .map((name) => join(ppo, name, "policy"));
}

/** The input of the detectors besides metrics. */
export type Seen = Pick<
  DiagnosisInput,
  "messages" | "lost" | "memoryMb" | "samples" | "findings" | "heldOutAccuracy"
> & { readonly folder: string | null };

export function seenOf(store: Store, { id, folder }: { readonly id: string; readonly folder: string | null }): Seen {
  const run = store.run(id);
  const events = (kind: "error" | "warning") => store.events(id, { kind, current: true }).rows;
  const messages = [...events("error"), ...events("warning")].map(({ message }) => message);
  const { memoryGb } = JSON.parse(run?.machine ?? "{}") as { readonly memoryGb?: number };
  const newest = store.latest(id, "ppo").find(({ key }) => key === "reward/score_mean")?.iteration;
  const samples = newest === undefined ? [] : store.samples(id, "ppo", newest);
  const accuracy = store.latest(id, "reward").find(({ key }) => key === "reward_model/heldout_accuracy")?.value;
  return {
    folder,
    findings: findingsOf(store, { id, folder }),
    heldOutAccuracy: accuracy ?? null,
    messages,
    lost: run?.state === "lost",
    memoryMb: memoryGb === undefined ? null : 1024 * memoryGb,
    samples: samples.map(({ prompt, response, score }) => ({ prompt, response, score })),
  };
}

/** What the doctor found beside the run's start, and what the run itself recorded as a finding. */
function findingsOf(store: Store, { id, folder }: { id: string; folder: string | null }): DiagnosisInput["findings"] {
  const file = fileOf(folder === null ? null : { folder }, "doctor.json");
  const beside = Array.isArray(file) ? file : ((file as { readonly findings?: unknown } | null)?.findings ?? []);
  const events = (["note", "warning"] as const).flatMap((kind) => store.events(id, { kind, current: true }).rows);
  const own = events.flatMap(({ data }) => (data?.finding === undefined ? [] : [data.finding]));
  return [...own, ...(Array.isArray(beside) ? beside : [])].filter(isFinding);
}

function isFinding(value: unknown): value is DiagnosisInput["findings"][number] {
  const { id, what, remedy, explained = null } = (value ?? {}) as Record<string, unknown>;
  return explained === null && [id, what, remedy].every((text) => typeof text === "string");
}
