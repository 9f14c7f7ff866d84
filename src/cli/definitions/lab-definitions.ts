/** The commands that run experiments of many runs. */
import type { Command } from "commander";
import { type StudyName, studyNames } from "../../lab/studies/study-names.ts";
import { folder, integer, text } from "../arguments.ts";
import { type CommandMaker, OVERRIDES } from "./command-maker.ts";

const WORKSPACE = "folder of the runs; experiments are in its folder `lab`";
const PROCESSES = "runs side by side, each with one thread; default: one for each core";
const REPORT = "train nothing: the tables of what is done, also while another call trains";
const DOC = "a Markdown file whose table is replaced: between <!-- ballast lab NAME --> and <!-- end -->";
const JSON_LINE = "print one line of JSON, with every run and what is unfinished";

export function defineLab({ command, does, terminal }: CommandMaker): void {
  command(
    "sweep",
    "train a configuration with several values of some settings",
    "sweep my.yaml ppo.learningRate=1e-5,3e-5 seed=1..4",
    "sweep my.yaml ppo.kl.coef=0.02,0.05 seed=1..3 --processes 2",
    "sweep my.yaml seed=1..8 ppo.iterations=50 --json > sweep.json",
  )
    .argument("<config>", "a YAML file", text)
    .argument("<settings...>", "key=value,value: all combinations; 1..4 stands for 1,2,3,4")
    .option("--name <name>", "the sweep's name; default: the configuration's, or the file's", text)
    .option("--workspace <dir>", WORKSPACE, folder, "runs")
    .option("--processes <n>", PROCESSES, integer(1))
    .option("--json", JSON_LINE)
    .action(
      does(async (file, settings, options) =>
        (await import("../commands/sweep/index.ts")).sweep({ file, settings, ...options, terminal }),
      ),
    );

  const lab = command(
    "lab",
    "experiments of many runs: how the controller handles faults, its own and strangers', and published claims",
    "lab strangers --seeds 1-8",
    "lab faults",
    "lab faults --faults lr-spike,reward-flip --seeds 11",
    "lab faults --json > faults.json",
    "lab batch --only s64,s512 --seeds 1-3",
    "lab value-clip --doc docs/evidence.md",
  );
  experiment(lab, "faults")
    .description("run each fault with and without the controller, and healthy runs, on a small help desk")
    .argument("[overrides...]", OVERRIDES)
    .option("--faults <list>", "comma-separated names; default: all", text)
    .option("--seeds <list>", "comma-separated seeds", text, "11,12,13")
    .option("--iterations <n>", "iterations of each run; the fault begins half-way", integer(2))
    .option("--healthy-iterations <n>", "iterations without a fault to count false alarms in", integer(1), 600)
    .option("--config <file>", "a configuration with all three stages; default: examples/helpdesk/mini.yaml", text)
    .action(
      does(async (overrides, options) =>
        (await import("../commands/lab/index.ts")).labFaults({ overrides, ...options, terminal }),
      ),
    );
  experiment(lab, "strangers")
    .description("run a suite of cases that no rule was tuned on: what is caught, what actions are worth, false alarms")
    .option(
      "--suite <folder>",
      "folders with a case.yaml each (suites/strangers/README.md); default: the shipped suite",
      text,
    )
    .option("--seeds <list>", "comma-separated seeds, or a range", text, "1-8")
    .option("--only <list>", "comma-separated names of cases; default: all", text)
    .action(does(async (options) => (await import("../commands/lab/index.ts")).labStrangers({ ...options, terminal })));
  for (const [name, says] of Object.entries(studyNames)) defineStudy(lab, name as StudyName, says, { does, terminal });
}

/** A command of the laboratory, with what all of them take. */
function experiment(lab: Command, name: string): Command {
  return lab
    .command(name)
    .option("--workspace <dir>", WORKSPACE, folder, "runs")
    .option("--processes <n>", PROCESSES, integer(1))
    .option("--report", REPORT)
    .option("--doc <file>", DOC, text)
    .option("--json", JSON_LINE);
}

/** One of the experiments of docs/evidence.md. */
function defineStudy(
  lab: Command,
  study: StudyName,
  says: string,
  { does, terminal }: Pick<CommandMaker, "does" | "terminal">,
): void {
  experiment(lab, study)
    .description(`${says}: docs/evidence.md`)
    .argument("[overrides...]", OVERRIDES)
    .option("--seeds <list>", "comma-separated seeds, or a range; default: the experiment's", text)
    .option("--only <list>", "comma-separated names of arms, and of the tasks desk and chains; default: all", text)
    .addHelpText(
      "after",
      `
Examples:
  $ ballast lab ${study}
  $ ballast lab ${study} --only chains --seeds 1-3
  $ ballast lab ${study} --report --doc docs/evidence.md`,
    )
    .action(
      does(async (overrides, options) =>
        (await import("../commands/lab/index.ts")).labStudy({ study, overrides, ...options, terminal }),
      ),
    );
}
