/** The configuration of the next round: it extends a run's record and changes one subject. */
import { dirname, join, relative, resolve, sep } from "node:path";
import { stringify } from "yaml";
import { type Config, rebasePaths } from "../../../config/index.ts";
import { experimentStages } from "../../../control/doctor/index.ts";
import type { NextRound } from "../../../control/rounds/next-round.ts";
import type { RunPlace } from "../../../inspect/places.ts";

export interface RoundFile {
  /** The file to write. */
  readonly out: string;
  /** The run whose record it extends, and that run's configuration. */
  readonly base: RunPlace;
  readonly config: Config;
  readonly round: NextRound;
  readonly name: string;
  /** The lines of the judgement, as comments. */
  readonly because: readonly string[];
  /** Files that the operator named, relative to the current directory. */
  readonly prompts: readonly string[];
  readonly evaluation: readonly string[];
}

export function roundText({ out, base, config, round, name, because, prompts, evaluation }: RoundFile): string {
  const folder = dirname(resolve(out));
  const pathIn = (path: string) => relative(folder, resolve(path)).replaceAll(sep, "/") || ".";
  const { stage, subject, why } = round;
  const changed = changeOf({ config, round, prompts, evaluation });
  const root = {
    ...{ extends: pathIn(join(base.folder, "config.json")), name, experiment: { stage, previous: base.id } },
    ...rebasePaths(changed, { from: ".", to: folder }),
  };
  const was = round.change ? ` It was ${inline(valueAt(config, round.change.key))}.` : "";
  return [
    `# Round ${stage} of 4: ${experimentStages[stage].asks}. Written by ballast next.`,
    ...because.map((line) => `# ${line}`),
    `# Now: ${why}.`,
    `# Only one subject differs from ${base.id}, ${subject === "settings" ? "a setting" : `the ${subject}`}, so that what comes out has one cause.${was}`,
    ...(config.sft || config.reward
      ? ["# The stages before PPO run again, with the same rows and seed: their models end the same."]
      : []),
    stringify(root, { lineWidth: 0 }).trimEnd(),
    "",
  ].join("\n");
}

/** The changed sections, with paths relative to the current directory. */
function changeOf({
  config,
  round: { change, subject },
  prompts,
  evaluation,
}: Pick<RoundFile, "config" | "round" | "prompts" | "evaluation">): object {
  if (change !== null) {
    const value = change.add ? [...(valueAt(config, change.key) as unknown[]), change.value] : change.value;
    return change.key.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;
  }
  if (subject === "evaluation") return { evaluation: { prompts: sourceOf(evaluation, config) } };
  const own = [config.ppo!.prompts?.path ?? []].flat();
  return { ppo: { prompts: sourceOf([...own, ...prompts], config) } };
}

/** Rows in these files, under the column names of the run's own prompts. */
function sourceOf(paths: readonly string[], { ppo }: Config): object {
  const { fields = {}, badRows } = ppo!.prompts ?? {};
  return {
    path: paths.length === 1 ? paths[0] : paths,
    ...(Object.keys(fields).length > 0 && { fields }),
    ...(badRows === "skip" && { badRows }),
  };
}

function valueAt(config: Config, key: string): unknown {
  return key
    .split(".")
    .reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], config);
}

function inline(value: unknown): string {
  return stringify(value ?? null, { lineWidth: 0, collectionStyle: "flow", flowCollectionPadding: false }).trim();
}
