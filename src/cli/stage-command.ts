/** Which of the configured stages a command runs. */
import type { Config } from "../config/index.ts";
import { type Stage, stages } from "../types/records.ts";
import { UsageError } from "../util/errors.ts";
import { shellWord } from "../util/platform.ts";

/**
 * The configuration for one command: `run` takes every stage, `sft`, `reward` and `ppo` only their own. A stage that starts from the results of
 * earlier stages in the same file cannot run without them.
 */
export function stagesFor(command: "run" | Stage, config: Config, file: string): Config {
  const present = stages.filter((stage) => config[stage] !== undefined);
  if (present.length === 0) {
    throw new UsageError(
      `${file} has no stage to run`,
      "Give it a section sft, reward or ppo: `sft: {}` uses every default.",
    );
  }
  if (command === "run") return config;
  if (!present.includes(command)) {
    throw new UsageError(
      `${file} has no section ${command}, only ${present.join(" and ")}`,
      `Add \`${command}: {}\`, or run what is there with \`ballast run ${shellWord(file)}\`.`,
    );
  }
  const earlier = present.filter((stage) => stages.indexOf(stage) < stages.indexOf(command));
  if (earlier.length > 0) {
    throw new UsageError(
      `${command} starts from the results of ${earlier.join(" and ")}, which ${file} has as well`,
      `Run all of them with \`ballast run ${shellWord(file)}\`, or give ${command} a file of its own that names the models it starts from.`,
    );
  }
  const later = stages.filter((stage) => stages.indexOf(stage) > stages.indexOf(command));
  return { ...config, ...Object.fromEntries(later.map((stage) => [stage, undefined])) };
}
