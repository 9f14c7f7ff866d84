/** The commands that run experiments of many runs. */
import { folder, integer, text } from "../arguments.ts";
import { type CommandMaker, OVERRIDES } from "./command-maker.ts";

export function defineLab({ command, does, terminal }: CommandMaker): void {
  const lab = command(
    "lab",
    "experiments of many runs: how the controller handles faults",
    "lab faults",
    "lab faults --faults lr-spike,reward-flip --seeds 11",
    "lab faults --json > faults.json",
  );
  lab
    .command("faults")
    .description("run each fault with and without the controller, and healthy runs, on a small help desk")
    .argument("[overrides...]", OVERRIDES)
    .option("--faults <list>", "comma-separated names; default: all", text)
    .option("--seeds <list>", "comma-separated seeds", text, "11,12,13")
    .option("--iterations <n>", "iterations of each run; the fault begins half-way", integer(2))
    .option("--healthy-iterations <n>", "iterations without a fault to count false alarms in", integer(1), 600)
    .option("--config <file>", "a configuration with all three stages; default: examples/helpdesk/mini.yaml", text)
    .option("--workspace <dir>", "folder of the runs; experiments are in its folder `lab`", folder, "runs")
    .option("--json", "print one line of JSON, with every run")
    .action(
      does(async (overrides, options) =>
        (await import("../commands/lab/index.ts")).labFaults({ overrides, ...options, terminal }),
      ),
    );
}
