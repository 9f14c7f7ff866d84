/** The commands that train, check and measure: from a configuration to runs and their comparison. */
import { Option } from "commander";
import { mostSequences, mostThreads } from "../../util/limits.ts";
import { decimal, folder, integer, several, text } from "../arguments.ts";
import { AS, type CommandMaker, OVERRIDES, RUN, workspace } from "./command-maker.ts";

const INJECT = "a fault to inject, such as lr-spike@40; repeatable (docs/faults.md)";
const WAIT = "if the controller stops the run, wait for your decision";
const DASHBOARD = "serve the dashboard while it trains, and print its address";

export function defineTraining({ command, does, terminal }: CommandMaker): void {
  command(
    "demo",
    "train a small assistant in three stages, and show what changed",
    "demo",
    "demo --dashboard",
    "demo --seed 7 --out /tmp/try",
    "demo demo.variant=overoptimise",
    "demo --json | tail -1",
  )
    .argument("[overrides...]", OVERRIDES)
    .option("--inject <fault>", INJECT, several)
    .option("--wait", WAIT)
    .option("--dashboard", DASHBOARD)
    .option(...AS)
    .option("--json", "print the result as one last line of JSON")
    .option("--out <dir>", 'folder for the run and its database (default: "runs")', folder)
    .option("--seed <n>", "seed of everything random", integer(0))
    .action(
      does(async (overrides, options) =>
        (await import("../commands/demo/index.ts")).demo({ overrides, ...options, terminal }),
      ),
    );

  command(
    "init",
    "ask for model, rows and reward, look at each answer, and write a configuration",
    "init",
    'init --objective "prefer short answers" --data my.csv --model pythia',
    'init --yes --objective "prefer brief" --data a.csv --out a.yaml',
  )
    .option("--objective <sentence>", "what the model should learn: when X, prefer Y over Z", text)
    .option("--model <folder>", "a Hugging Face folder, hf://ORG/NAME, or scratch", text)
    .option("--data <file>", "rows: a file or a pattern; repeatable", several)
    .option("--field <name=column>", "the file's name for a field, Ballast's first; repeatable", several)
    .option("--reward <judge>", "model, exact, last_number, none, or the path of a function", text)
    .option("--template <name>", "settings to extend: just, small, large, staged, laptop or gpu24", text)
    .option("--out <file>", "the file to write (default: my.yaml)", text)
    .option("--force", "replace the file if there is one")
    .option("--no-time", "do not measure this machine's speed")
    .option("-y, --yes", "take the default of everything that is not given, and ask nothing")
    .action(does(async (options) => (await import("../commands/init/index.ts")).init({ ...options, terminal })));

  const stages = {
    run: ["run every stage of a configuration: SFT, reward model, PPO", "examples/helpdesk/pipeline.yaml"],
    sft: ["fine-tune on demonstrations", "examples/helpdesk/sft.yaml"],
    reward: ["train a reward model on preference pairs", "examples/helpdesk/reward.yaml"],
    ppo: ["train a policy with PPO", "examples/helpdesk/ppo.yaml"],
  } as const;
  for (const [name, [description, example]] of Object.entries(stages)) {
    command(
      name,
      description,
      `${name} ${example}`,
      `${name} ${example} seed=2 workspace=/tmp/runs`,
      `${name} ${example} --json | tail -1`,
    )
      .argument("<config>", "a YAML file", text)
      .argument("[overrides...]", OVERRIDES)
      .option("--inject <fault>", INJECT, several)
      .option("--wait", WAIT)
      .option("--dashboard", DASHBOARD)
      .option(...AS)
      .option("--json", "print the result as one last line of JSON")
      .action(
        does(async (file, overrides, options) =>
          (await import("../commands/run/index.ts")).run({
            command: name as keyof typeof stages,
            file,
            overrides,
            ...options,
            terminal,
          }),
        ),
      );
  }

  command(
    "resume",
    "continue a run from its last checkpoint, or make it longer",
    "resume demo-1",
    "resume /tmp/runs/helpdesk-2",
    "resume demo-1 ppo.iterations=150",
  )
    .argument("<run>", RUN, text)
    .argument(
      "[overrides...]",
      "new lengths: ppo.iterations=150, sft.steps, reward.steps; also of a finished run. Or engine.deadline, engine.processes, engine.reshard, engine.url",
    )
    .option("--allow-changed-reward", "continue although the reward function's code has changed")
    .option("--allow-changed-data", "continue although rows have changed since the run began")
    .option(...workspace)
    .option("--inject <fault>", INJECT, several)
    .option("--wait", WAIT)
    .option("--dashboard", DASHBOARD)
    .option(...AS)
    .option("--json", "print the result as one last line of JSON")
    .action(
      does(async (run, overrides, options) =>
        (await import("../commands/resume/index.ts")).resume({ run, overrides, ...options, terminal }),
      ),
    );

  command(
    "extend",
    "train a finished run further",
    "extend demo-1 --by 50",
    "extend demo-1 --to 150 --dashboard",
    "extend my-sft-1 --stage sft --by 100",
  )
    .argument("<run>", RUN, text)
    .option("--by <n>", "iterations (steps of SFT and the reward model) to add", integer(1))
    .option("--to <n>", "iterations that it is to have in all", integer(1))
    .addOption(new Option("--stage <stage>", "default: the run's last").choices(["sft", "reward", "ppo"]))
    .option(...workspace)
    .option("--wait", WAIT)
    .option("--dashboard", DASHBOARD)
    .option(...AS)
    .option("--json", "print the result as one last line of JSON")
    .action(
      does(async (run, options) => (await import("../commands/extend/index.ts")).extend({ run, ...options, terminal })),
    );

  command(
    "data",
    "show what files of rows are understood as, before training on them",
    "data my.csv",
    "data 'train-*.parquet' --model models/pythia --evaluation test.jsonl",
    "data my.yaml --html data.html",
    "data kto.jsonl --pairs-from label",
    "data rows.jsonl --field prompt=question --field completion=answer",
  )
    .argument(
      "<files...>",
      "JSONL, JSON, CSV, Parquet or text, or patterns; or one YAML configuration, whose rows they are",
    )
    .addOption(
      new Option("--as <use>", "what the rows are for; default: what they can be").choices([
        ...["demonstrations", "preferences", "prompts"],
      ]),
    )
    .option("--field <name=column>", "the file's name for a field, Ballast's first; repeatable", several)
    .option("--pairs-from <column>", "make pairs of single answers that this column labels", text)
    .option("--model <folder>", "count in tokens of this model or tokenizer", folder)
    .option("--context <n>", "longest sequence, in tokens; default: the model's", integer(1))
    .option("--evaluation <file>", "rows whose prompts should not be trained on; repeatable", several)
    .option("--show <n>", "rows to show as the model reads them", integer(0), 2)
    .option("--html <file>", "write the same as a page", text)
    .option("--json", "print one line of JSON")
    .action(
      does(async (files, { field, ...options }) =>
        (await import("../commands/data/index.ts")).data({ files, fields: field, ...options, terminal }),
      ),
    );

  command(
    "plan",
    "say how much memory and time a configuration takes on this machine",
    "plan examples/helpdesk/pipeline.yaml",
    "plan my.yaml recompute=true --no-time",
    "plan my.yaml --json",
  )
    .argument("<config>", "a YAML file", text)
    .argument("[overrides...]", OVERRIDES)
    .option("--no-time", "do not measure this machine's speed")
    .option("--json", "print one line of JSON")
    .action(
      does(async (file, overrides, options) =>
        (await import("../commands/plan/index.ts")).plan({ file, overrides, ...options, terminal }),
      ),
    );

  const config = command(
    "config",
    "explain a setting; print the schema that editors check configurations with",
    "config explain ppo.kl.coef",
    "config explain ppo.kl",
    "config schema --out ballast.schema.json",
  );
  config
    .command("explain")
    .description("explain a setting: meaning, type, default, bounds, source, and what uses it")
    .argument("<key>", "a key such as ppo.kl.coef, or a section, whose keys are listed", text)
    .option("--json", "print one line of JSON per key")
    .action(
      does(async (key, options) =>
        (await import("../commands/config/index.ts")).explainSetting({ key, ...options, terminal }),
      ),
    );
  config
    .command("schema")
    .description("print the configuration's JSON schema")
    .option("--out <file>", "write it to this file instead", text)
    .action(
      does(async (options) => (await import("../commands/config/index.ts")).printSchema({ ...options, terminal })),
    );

  command(
    "doctor",
    "check a configuration before training, or check a run",
    "doctor examples/helpdesk/pipeline.yaml",
    "doctor my.yaml ppo.learningRate=1e-4 --tokens-per-step 65536",
    "doctor demo-1",
    "doctor my.yaml --json",
  )
    .argument("<config-or-run>", `a YAML file; or ${RUN}`, text)
    .argument("[overrides...]", OVERRIDES)
    .option("--tokens-per-step <n>", "tokens that one step may hold: how many sequences are they?", integer(1))
    .option("--no-model", "do not load and sample the policy")
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (subject, overrides, options) =>
        (await import("../commands/doctor/index.ts")).doctor({ subject, overrides, ...options, terminal }),
      ),
    );

  command(
    "diagnose",
    "say what is wrong with a run: causes, evidence, remedies",
    "diagnose demo-1",
    "diagnose demo-1 --json",
  )
    .argument("<run>", RUN, text)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, options) =>
        (await import("../commands/diagnose/index.ts")).diagnose({ run, ...options, terminal }),
      ),
    );

  command(
    "next",
    "say whether a round of an experiment succeeded, and write the next round's file",
    "next my-1",
    "next my-round-2-1 --prompts wider.jsonl --out wider.yaml",
    "next my-round-3-1 --evaluation hard.jsonl",
    "next my-1 --json",
  )
    .argument("<run>", RUN, text)
    .option("--prompts <file>", "further prompts, for wider data; repeatable", several)
    .option("--evaluation <file>", "prompts to be judged on; repeatable", several)
    .option("--out <file>", "the file to write (default: NAME-round-N.yaml)", text)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, options) => (await import("../commands/next/index.ts")).next({ run, ...options, terminal })),
    );

  command(
    "eval",
    "measure a run's policy, before and after PPO",
    "eval demo-1",
    "eval demo-1 --samples 4096 --seed 99",
    "eval demo-1 --json",
  )
    .argument("<run>", RUN, text)
    .option("--samples <n>", "samples to draw", integer(1, mostSequences))
    .option("--temperature <t>", "sampling temperature, 0 is greedy; default: the rollout's", decimal(0))
    .option("--seed <n>", "seed of the samples", integer(0))
    .option(...workspace)
    .option("--json", "print the result as one line of JSON")
    .action(
      does(async (run, options) => (await import("../commands/eval/index.ts")).evaluate({ run, ...options, terminal })),
    );

  command(
    "generate",
    "generate a model's answers: prompts as arguments, or lines of stdin",
    'generate demo-1 "what is 2 plus 3 ?"',
    'generate runs/demo-1/sft/final "book it" --samples 4 --temperature 1',
    'generate runs/big-1/ppo/final "book it" --engine torch',
    "generate demo-1 < prompts.txt",
  )
    .argument("<model>", "a model's folder, a run's id (its last stage's model), or a run's folder", text)
    .argument("[prompts...]", "what to ask; without one, each line of stdin")
    .option("--temperature <t>", "sampling temperature; 0 is greedy", decimal(0), 0)
    .option("--top-k <k>", "keep only the k likeliest tokens; 0 keeps all", integer(0), 0)
    .option("--top-p <p>", "keep only the likeliest tokens that add up to this probability", decimal(0, 1), 1)
    .option("--max-tokens <n>", "longest answer", integer(1), 64)
    .option("--samples <n>", "answers to each prompt", integer(1, mostSequences), 1)
    .option("--seed <n>", "seed of the samples", integer(0), 1)
    .option("--system <text>", "a system message before the prompt")
    .option("--raw", "continue the prompt as it stands, without the chat template")
    .addOption(new Option("--engine <kind>", "what computes; default: the run's engine").choices(["embedded", "torch"]))
    .option("--threads <n>", "threads of the engine; 0 uses the physical cores", integer(0, mostThreads), 0)
    .option(...workspace)
    .option("--json", "print one line of JSON per answer")
    .action(
      does(async (model, prompts, options) =>
        (await import("../commands/generate/index.ts")).generate({ model, prompts, ...options, terminal }),
      ),
    );

  command(
    "chat",
    "chat with a model, or with two side by side",
    "chat demo-1",
    "chat demo-1 --model before --model after",
    "chat demo-1 --model 20 --temperature 0.7",
    "chat demo-1 --json < questions.txt",
  )
    .argument("<model>", "a model's folder, a run's id (its last stage's model), or a run's folder", text)
    .option(
      "--model <which>",
      "before or after (PPO), the iterations of a checkpoint, a folder or a run; twice for two",
      several,
    )
    .option("--temperature <t>", "sampling temperature; 0 is greedy", decimal(0), 0)
    .option("--top-k <k>", "keep only the k likeliest tokens; 0 keeps all", integer(0), 0)
    .option("--top-p <p>", "keep only the likeliest tokens that add up to this probability", decimal(0, 1), 1)
    .option("--max-tokens <n>", "longest answer", integer(1), 256)
    .option("--seed <n>", "seed of the samples", integer(0), 0)
    .option("--system <text>", "a system message before the conversation")
    .addOption(new Option("--engine <kind>", "what computes; default: the run's engine").choices(["embedded", "torch"]))
    .option("--threads <n>", "threads of the engine; 0 uses the physical cores", integer(0, mostThreads), 0)
    .option(...workspace)
    .option("--json", "print one line of JSON per answer")
    .action(
      does(async (target, options) =>
        (await import("../commands/chat/index.ts")).chat({ target, ...options, terminal }),
      ),
    );

  command("runs", "list the runs of a workspace", "runs", "runs --workspace /tmp/runs", "runs --json")
    .option("--all", "include archived runs")
    .option(...workspace)
    .option("--json", "print one line of JSON per run")
    .action(does(async (options) => (await import("../commands/runs/index.ts")).runs({ ...options, terminal })));

  command(
    "compare",
    "compare the configurations and results of runs",
    "compare demo-1 demo-2",
    "compare demo-1 demo-2 demo-3 --json",
  )
    .argument("<run>", RUN, text)
    .argument("<others...>", "runs to compare it with")
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, others, options) =>
        (await import("../commands/compare/index.ts")).compare({ runs: [run, ...others], ...options, terminal }),
      ),
    );
}
