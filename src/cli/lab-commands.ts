/** The commands that run experiments of many runs. */
import { folder, integer, text } from "./arguments.ts";
import type { CommandMaker } from "./record-commands.ts";

export function addLabCommands({ command, does, terminal }: CommandMaker): void {
  const lab = command(
    "lab",
    "experiments of many runs: what the controller makes of faults",
    "lab faults",
    "lab faults --faults lr-spike,reward-flip --seeds 11",
    "lab faults --json > faults.json",
  );
  lab
    .command("faults")
    .description("run each fault with and without the controller, and healthy runs, on a small help desk")
    .argument("[overrides...]", "change settings of the configuration: key=value, as in ppo.kl.coef=0.1")
    .option("--faults <list>", "names with commas between them; all by default", text)
    .option("--seeds <list>", "seeds with commas between them", text, "11,12,13")
    .option("--iterations <n>", "of each run; the fault begins half-way", integer(2))
    .option("--healthy-iterations <n>", "iterations without a fault to count false alarms in", integer(1), 600)
    .option("--config <file>", "another configuration than examples/helpdesk/mini.yaml, with all three stages", text)
    .option("--workspace <dir>", "folder of the runs; these lie in its folder `lab`", folder, "runs")
    .option("--json", "print one line of JSON, with every run")
    .action(
      does(async (overrides, options) =>
        (await import("./commands/lab/index.ts")).labFaults({ overrides, ...options, terminal }),
      ),
    );
}
