/** `ballast plan`: what a configuration will take of this machine, in memory and in time, before it is trained. */
import { loadConfig } from "../../../config/index.ts";
import { completed } from "../../../run/completed-config.ts";
import { gibibytes, planMemory, remedies, rowFacts } from "../../../run/memory-plan.ts";
import { planTime } from "../../../run/time-plan.ts";
import { withTokenBudget } from "../../../run/token-budget.ts";
import { planTorch } from "../../../run/torch-memory-plan.ts";
import { prepareRows } from "../../../trainer/encoded-rows.ts";
import { counted } from "../../../util/counted.ts";
import { machineMemory } from "../../../util/machine-memory.ts";
import { jsonLine } from "../../json-line.ts";
import { duration } from "../../number-format.ts";
import type { Terminal } from "../../terminal.ts";

export interface PlanOptions {
  readonly file: string;
  readonly overrides: readonly string[];
  /** Whether this machine's speed is measured. */
  readonly time: boolean;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Prints the plan. Returns 1 if the run does not fit in this machine. */
export async function plan({ file, overrides, time, json = false, terminal }: PlanOptions): Promise<number> {
  const given = completed(loadConfig(file, overrides).config);
  const facts = rowFacts(prepareRows(given));
  const config = withTokenBudget(given, facts.lengths.ppo ?? []);
  const memory = machineMemory();
  const planOf = config.engine.kind === "torch" ? planTorch : planMemory;
  const planned = planOf(config, facts);
  const fits = planned.total <= memory;
  const seconds =
    time && fits && config.ppo
      ? await planTime(config, planOf({ ...config, sft: undefined, reward: undefined }, facts))
      : null;
  const changes = fits ? [] : remedies(config, facts, planOf);
  if (json) {
    const { policy: _, ...rest } = planned;
    terminal.out(jsonLine({ config: file, ...rest, memory, fits, secondsPerIteration: seconds, remedies: changes }));
    return fits ? 0 : 1;
  }
  const { lines, pass, stage, total } = planned;
  const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20).toLocaleString("en-US")} MB`.padStart(12);
  terminal.out(`memory of ${stage}, its passes ${pass.sequences} x ${pass.length} tokens`);
  for (const { what, bytes } of lines) terminal.out(`${megabytes(bytes)}  ${what}`);
  terminal.out(`${megabytes(total)}  in all; this machine has ${gibibytes(memory)}`);
  if (!fits) terminal.out("It does not fit.");
  for (const { setting, total } of changes) terminal.out(`  ${setting} would take ${gibibytes(total)}`);
  if (seconds !== null) {
    const figure = (value: number) => Number(value.toPrecision(3));
    const { generation, passes, update } = seconds;
    terminal.out(
      `${figure(seconds.total)} s an iteration if no response stops early: generation ${figure(generation)}, log-probabilities and values ${figure(passes)}, update ${figure(update)}`,
    );
    terminal.out(
      `${counted(config.ppo!.iterations, "iteration")} of PPO: about ${duration(config.ppo!.iterations * seconds.total)}`,
    );
  }
  return fits ? 0 : 1;
}
