/** `ballast plan`: what a configuration will take of this machine, in memory and in time, before it is trained. */
import { type Config, loadConfig } from "../../../config/index.ts";
import { completed } from "../../../run/completed-config.ts";
import { gibibytes, type PlanLine, planMemory, type RowFacts, remedies, rowFacts } from "../../../run/memory-plan.ts";
import { planTime } from "../../../run/time-plan.ts";
import { planTinker } from "../../../run/tinker-plan.ts";
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
  if (config.engine.kind === "tinker") return planWire(config, facts, { file, json, terminal });
  const memory = machineMemory();
  const planOf = config.engine.kind === "torch" ? planTorch : planMemory;
  const planned = planOf(config, facts);
  const fits = planned.total <= memory;
  const seconds =
    time && fits && config.ppo
      ? await planTime(config, planOf({ ...config, sft: undefined, reward: undefined }, facts))
      : null;
  const changes = fits ? [] : remedies(config, facts, { memory, plan: planOf });
  if (json) {
    const { policy: _, ...rest } = planned;
    terminal.out(jsonLine({ config: file, ...rest, memory, fits, secondsPerIteration: seconds, remedies: changes }));
    return fits ? 0 : 1;
  }
  const { lines, pass, stage, total, onDevice } = planned;
  terminal.out(`memory of ${stage}, its passes ${pass.sequences} x ${pass.length} tokens`);
  const place = (line: PlanLine) => (onDevice === undefined ? "" : line.onDevice ? ", on the device" : ", on the host");
  for (const line of lines) terminal.out(`${megabytes(line.bytes)}  ${line.what}${place(line)}`);
  terminal.out(
    `${megabytes(total)}  in all${onDevice === undefined ? "" : " on the host"}; this machine has ${gibibytes(memory)}`,
  );
  if (onDevice !== undefined)
    terminal.out(`${megabytes(onDevice)}  in all on the device, without CUDA's own; never compared with a real one`);
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

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20).toLocaleString("en-US")} MB`.padStart(12);
}

/** What crosses the network, and what this machine holds; the server's side is not known here. */
function planWire(
  config: Config,
  facts: RowFacts,
  { file, json, terminal }: Pick<PlanOptions, "file" | "json" | "terminal">,
): number {
  const planned = planTinker(config, facts);
  const { sequences, prompt, response, lines, up, down, requests, held, memory, seconds } = planned;
  const has = machineMemory();
  const fits = memory <= has;
  if (json) {
    terminal.out(jsonLine({ config: file, ...planned, machine: has, fits }));
    return fits ? 0 : 1;
  }
  const amount = (bytes: number) => `${Number((bytes / 1e6).toPrecision(3)).toLocaleString("en-US")} MB`.padStart(12);
  const perToken = (bytes: number) => Number((bytes / (sequences * response)).toPrecision(3));
  const at = (bitsPerSecond: number) => `${Number((((up + down) * 8) / bitsPerSecond).toPrecision(2))} s`;
  terminal.out(
    `sent and received in an iteration: ${sequences} sequences of up to ${prompt} + ${response} tokens, if none stops early`,
  );
  for (const { what, up, down } of lines) terminal.out(`${amount(up)} up${amount(down)} down  ${what}`);
  terminal.out(`${amount(up)} up${amount(down)} down  in all, ${requests.toLocaleString("en-US")} requests`);
  terminal.out(
    `${perToken(up)} bytes up and ${perToken(down)} down a sampled token; ${at(1e8)} at 100 Mbit/s, ${at(1e9)} at 1 Gbit/s, ${at(1e10)} at 10 Gbit/s`,
  );
  const [client, ...models] = held;
  const time =
    seconds === null
      ? "its seconds were measured for RLOO only"
      : `about ${Number(seconds.toPrecision(2))} s of one core an iteration`;
  terminal.out(`this process: ${gibibytes(client!.bytes)} at its fullest, ${time}`);
  if (models.length > 0) terminal.out("engines on this machine:");
  for (const { what, bytes } of models) terminal.out(`${megabytes(bytes)}  ${what}`);
  terminal.out(`${gibibytes(memory)} in all; this machine has ${gibibytes(has)}`);
  if (!fits)
    terminal.out(
      `It does not fit: lower ppo.sequences or ppo.maxNewTokens${models.length > 0 ? ", or take smaller models on this machine (ppo.critic)" : ""}.`,
    );
  terminal.out("What the server needs in memory and time is its own.");
  return fits ? 0 : 1;
}
