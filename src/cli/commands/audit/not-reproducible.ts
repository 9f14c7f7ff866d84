/** Says what of a run can be repeated to the bit, on which machine, and what can never be. */
import type { Config } from "../../../config/index.ts";
import { type Machine, machineDifferences } from "../../../run/machine-record.ts";
import type { CommandRecord } from "../../../types/records.ts";

export interface ReproductionFacts {
  readonly config: Pick<Config, "engine" | "ppo">;
  /** The machine on which the run began. */
  readonly machine: Machine;
  readonly attempts: readonly { readonly attempt: number; readonly machine: Machine | null }[];
  readonly commands: readonly CommandRecord[];
}

/** Sentences, each about one kind of bits. */
export function notReproducible({ config, machine, attempts, commands }: ReproductionFacts): string[] {
  const { cpu, threads, platform, engine, versions = {}, memoryGb, code } = machine;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const { ppo } = config;
  const kinds = [...new Set(ppo?.rewards.map(({ kind }) => kind) ?? [])];
  const functions = kinds.includes("function");
  const caller = kinds.includes("caller");
  const remote = ppo?.gold?.kind === "judge";
  const pauses = commands.filter(({ kind }) => kind === "pause" || kind === "resume").length;
  return [
    `Weights, metrics and samples repeat to the bit on a machine like the one on which the run began: ${cpu}, ${threads} ${threads === 1 ? "thread" : "threads"}, ${platform ?? "an unrecorded platform"}, engine ${engine ?? "unrecorded"}${named.length > 0 ? `, ${named.join(", ")}` : ""}${memoryGb === undefined ? "" : `, ${memoryGb} GiB (which decides how minibatches are cut into passes)`}${code === undefined ? "" : `, Ballast's code ${code}`}.`,
    "With a different CPU, number of threads, runtime version or amount of memory, sums of floats are added in a different order: their last bits differ, and once a difference decides a sampled token, everything after it does.",
    "Everywhere the same: the order of rows, the random streams, the tokens of texts, the hashes of files, and what the controller's rules decide on the recorded signals.",
    "Never the same: metrics under time/ and machine/, times of day, process ids, and the manifests that hold them.",
    ...(config.engine.kind === "torch"
      ? [
          "The PyTorch engine repeats only with the same device, driver and kernels; some GPU kernels add in no fixed order at all.",
        ]
      : []),
    ...attempts.flatMap(({ attempt, machine: other }) => {
      const differences = other === null ? [] : machineDifferences(machine, other);
      return differences.length === 0
        ? []
        : [`Attempt ${attempt} ran elsewhere, and no single machine repeats the run: ${differences.join("; ")}.`];
    }),
    ...attempts.flatMap(({ attempt, machine: other }) =>
      other?.code !== undefined && code !== undefined && other.code !== code
        ? [`Attempt ${attempt} ran with different code of Ballast: ${other.code}.`]
        : [],
    ),
    ...(functions
      ? [
          "A reward function repeats as far as its own code does: its hash is recorded, what it reads from outside is not.",
        ]
      : []),
    ...(remote
      ? [
          "A gold judge over HTTP may answer differently at any time: its verdicts are recorded, and cannot be obtained again with certainty.",
        ]
      : []),
    ...(caller
      ? ["Prompts and scores came from a program that uses the library: they repeat if that program does."]
      : []),
    ...(pauses > 0 ? ["Pauses are not repeated: they change nothing but the time."] : []),
  ];
}
