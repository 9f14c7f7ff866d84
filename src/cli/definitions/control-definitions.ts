/** The commands about the stability controller: its rules, and what they decide on a run's record. */
import { folder, integer, text } from "../arguments.ts";
import { AS, type CommandMaker, RUN, workspace } from "./command-maker.ts";

export function defineControl({ command, does, terminal }: CommandMaker): void {
  const rules = command(
    "rules",
    "show the controller's rules, and try your own on a run's record",
    "rules list",
    "rules list --config my.yaml",
    "rules list --yaml > mine.yaml",
    "rules explain kl_soft",
    "rules test mine.yaml --on demo-1",
  );
  rules
    .command("list")
    .description("list the rules: the shipped ones, or those of a configuration")
    .option("--config <file>", "the rules that this configuration uses, and which of them are in use", text)
    .option("--yaml", "print them as a file of rules")
    .option("--json", "print one line of JSON per rule")
    .action(does(async (options) => (await import("../commands/rules/index.ts")).listRules({ ...options, terminal })));
  rules
    .command("explain")
    .description("explain a rule: what it watches, when it holds, what it does, and its source")
    .argument("<id>", "a rule's id, as `ballast rules list` shows it", text)
    .option("--config <file>", "as this configuration uses it", text)
    .option("--json", "print one line of JSON")
    .action(
      does(async (id, options) =>
        (await import("../commands/rules/index.ts")).explainRule({ id, ...options, terminal }),
      ),
    );
  rules
    .command("test")
    .description("check a file of rules; with --on, show what they would have done on a run's record")
    .argument("<file>", "a YAML file of rules", text)
    .option("--on <run>", RUN, text)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (file, options) =>
        (await import("../commands/rules/index.ts")).testRules({ file, ...options, terminal }),
      ),
    );

  command(
    "tell",
    "tell a run to pause, resume, save, stop or change a setting",
    "tell demo-1 pause",
    'tell demo-1 set ppo.kl.coef=0.1 ppo.clipLow=0.15 --reason "KL grows"',
    "tell demo-1 undo 3",
    'tell demo-1 stop --reason "good enough" --json',
  )
    .argument("<run>", RUN, text)
    .argument("<what>", "pause, resume, save, stop, set or undo")
    .argument("[details...]", "set: key=value, one or several; undo: the number of an intervention")
    .option("--reason <text>", "why; kept in the record")
    .option(...AS)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, what, details, options) =>
        (await import("../commands/tell/index.ts")).tell({ run, what, details, ...options, terminal }),
      ),
    );

  command(
    "replay",
    "show what rules decide on the record of a run",
    "replay demo-1",
    "replay demo-1 --rules mine.yaml",
    "replay demo-1 --rules mine.yaml --json",
  )
    .argument("<run>", RUN, text)
    .option("--rules <file>", "a YAML file of rules, added to the shipped ones; default: the run's own rules", text)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, options) => (await import("../commands/replay/index.ts")).replay({ run, ...options, terminal })),
    );

  command(
    "reproduce",
    "train a run again, and compare numbers and weights bit by bit",
    "reproduce demo-1",
    "reproduce demo-1 --until 20",
    "reproduce demo-1 --out /tmp/again --json",
  )
    .argument("<run>", RUN, text)
    .option("--until <n>", "steps of the last stage (iterations of PPO); default: as far as the run came", integer(1))
    .option("--out <dir>", "an empty folder to train in; default: a temporary one, which is removed", folder)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, options) =>
        (await import("../commands/reproduce/index.ts")).reproduce({ run, ...options, terminal }),
      ),
    );

  command(
    "rate",
    "rate a run's responses, or say which of two is better",
    "rate demo-1",
    "rate demo-1 --pairs --count 50 --rater ann",
    "rate demo-1 --export pairs.jsonl",
    "rate demo-1 --import pairs.jsonl --rater bob",
  )
    .argument("<run>", RUN, text)
    .option("--pairs", "two responses to one prompt: which is better?")
    .option("--count <n>", "questions to ask", integer(1), 20)
    .option("--rater <name>", "whose answers they are; default: the name of --as", text)
    .option("--export <file>", "write preferences as JSONL: prompt, chosen, rejected", text)
    .option(
      "--export-ratings <file>",
      "write ratings as JSONL, for control.probes.ratings: prompt, response, score",
      text,
    )
    .option(
      "--import <file>",
      "read preferences (prompt, chosen, rejected) or ratings (prompt, response, score) from JSONL",
      text,
    )
    .option(...AS)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, options) => (await import("../commands/rate/index.ts")).rate({ run, ...options, terminal })),
    );
}
