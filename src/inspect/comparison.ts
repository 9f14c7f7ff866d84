/** Compares runs: their configurations and their results. */
import { type Config, differences } from "../config/index.ts";
import { type Store, withStore } from "../store/index.ts";
import type { Evaluation } from "../types/evaluation.ts";
import { stages } from "../types/records.ts";
import { configOf, findRun, type RunPlace } from "./places.ts";
import { evaluationOf } from "./run-files.ts";

export interface Compared {
  readonly run: string;
  readonly state: string;
  readonly config: Config;
  /** The evaluation; null if the run has not reached it. */
  readonly evaluation: Evaluation | null;
  /** Newest metrics by stage. */
  readonly latest: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export function readCompared(text: string, workspace: string): Compared {
  const place = findRun(text, workspace);
  return withStore(place.workspace, (store) => comparedOf(store, place));
}

/** Like `readCompared`, but with an open store. */
export function comparedOf(store: Store, place: RunPlace): Compared {
  const { id } = place;
  const latest = stages.map((stage) => [
    stage,
    Object.fromEntries(store.latest(id, stage).map(({ key, value }) => [key, value])),
  ]);
  return {
    run: id,
    state: store.run(id)?.state ?? "unknown",
    config: configOf(place),
    evaluation: evaluationOf(place),
    latest: Object.fromEntries(latest),
  };
}

/** Settings in which any run differs from the first, with every run's value. */
export function settingRows(compared: readonly Compared[]): { key: string; values: unknown[] }[] {
  const [first, ...others] = compared as [Compared, ...Compared[]];
  const found = others.map(({ config }) => differences(first.config, config));
  const keys = [...new Set(found.flat().map(({ key }) => key))];
  return keys.map((key) => {
    const own = found.flat().find((difference) => difference.key === key)?.before;
    const of = (list: (typeof found)[number]) => list.find((difference) => difference.key === key);
    return {
      key,
      values: [own, ...found.map((list) => (of(list) ? of(list)?.after : own))].map((value) => value ?? null),
    };
  });
}
