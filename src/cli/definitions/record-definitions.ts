/** The commands about what runs recorded: incidents, history, exports, reports, Prometheus. */
import { Option } from "commander";
import { folder, integer, several, text } from "../arguments.ts";
import { AS, type CommandMaker, RUN, workspace } from "./command-maker.ts";

export function defineRecord({ command, does, terminal }: CommandMaker): void {
  const incidents = command(
    "incidents",
    "show what stopped a run, and decide on it",
    "incidents list --open",
    "incidents show 3",
    "incidents resolve 3 --rollback before --set ppo.learningRate=1e-4",
    'incidents resolve 3 --resume --reason "a batch of odd prompts"',
  );
  const id = ["<id>", "an incident's number, as `ballast incidents list` shows it", integer(1)] as const;
  incidents
    .command("list")
    .description("list incidents, oldest first")
    .option("--open", "only those that wait for a decision")
    .option("--run <run>", "only those of one run", text)
    .option(...workspace)
    .option("--json", "print one line of JSON per incident")
    .action(
      does(async (options) => (await import("../commands/incidents/index.ts")).listIncidents({ ...options, terminal })),
    );
  incidents
    .command("show")
    .description("show an incident's evidence: signals, samples, recent changes, next commands")
    .argument(...id)
    .option(...workspace)
    .option("--json", "print one line of JSON, with every signal")
    .action(
      does(async (id, options) =>
        (await import("../commands/incidents/index.ts")).showIncident({ id, ...options, terminal }),
      ),
    );
  incidents
    .command("resolve")
    .description("decide on an incident, once: resume, roll back to a checkpoint, or stop")
    .argument(...id)
    .option("--resume", "continue from the present state")
    .option("--rollback <to>", "roll back to: last-healthy, before, or the iterations done at a checkpoint", text)
    .option("--stop", "end the run here")
    .option("--set <key=value...>", "change settings from there on")
    .option("--reason <text>", "why; kept in the record")
    .option(...AS)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (id, options) =>
        (await import("../commands/incidents/index.ts")).resolveIncident({ id, ...options, terminal }),
      ),
    );

  command(
    "history",
    "show every value that a run's settings had, when, and why",
    "history demo-1",
    "history demo-1 ppo.learningRate",
    "history demo-1 ppo.kl.coef --json",
  )
    .argument("<run>", RUN, text)
    .argument("[key]", "one hyperparameter, with each of its changes: ppo.learningRate")
    .option(...workspace)
    .option("--json", "print one line of JSON per change")
    .action(
      does(async (run, key, options) =>
        (await import("../commands/history/index.ts")).history({ run, key, ...options, terminal }),
      ),
    );

  command(
    "mark",
    "tag a run, add a note, or archive it",
    "mark demo-1 --tag baseline",
    'mark demo-1 --note "the one in the report" --untag draft',
    "mark demo-2 --archive",
  )
    .argument("<run>", RUN, text)
    .option("--tag <word>", "add a tag; repeatable", several)
    .option("--untag <word>", "remove a tag; repeatable", several)
    .option("--note <text>", "set the note; an empty text removes it")
    .option("--archive", "archive it: `ballast runs` hides it, nothing is deleted")
    .option("--unarchive", "list it again")
    .option(...AS)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, options) => (await import("../commands/mark/index.ts")).mark({ run, ...options, terminal })),
    );

  command("archive", "hide a run from lists; nothing is deleted", "archive demo-2", "archive demo-2 --undo")
    .argument("<run>", RUN, text)
    .option("--undo", "list it again")
    .option(...AS)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, { undo = false, ...options }) =>
        (await import("../commands/mark/index.ts")).mark({
          run,
          archive: !undo,
          unarchive: undo,
          ...options,
          terminal,
        }),
      ),
    );

  command(
    "rename",
    "give a run a name that lists show beside its id, which stays",
    'rename demo-2 "KL 0.1, long answers"',
    'rename demo-2 ""',
  )
    .argument("<run>", RUN, text)
    .argument("<name>", "the name; an empty text removes it")
    .option(...AS)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, name, options) =>
        (await import("../commands/mark/index.ts")).mark({ run, name, ...options, terminal }),
      ),
    );

  command(
    "delete",
    "delete a run: its folder, and its record in the database",
    "delete demo-1",
    "delete runs/draft-3 --yes",
  )
    .argument("<run>", RUN, text)
    .option("--yes", "do not ask")
    .option(...workspace)
    .action(
      does(async (run, options) =>
        (await import("../commands/delete/index.ts")).deleteRun({ run, ...options, terminal }),
      ),
    );

  command(
    "export",
    "write a run's metrics to a file, its dashboard as one page, or its model to a folder",
    "export demo-1 --format csv --out demo-1.csv",
    "export demo-1 --format parquet --out demo-1.parquet",
    "export demo-1 --format jsonl --attempts newest | head",
    "export demo-1 --format html --out demo-1.html",
    "export demo-1 --format model --dtype bf16 --out demo-1-bf16",
  )
    .argument("<run>", `${RUN}; a model's folder, too, with --format model`, text)
    .addOption(
      new Option("--format <format>", "output format")
        .choices(["csv", "jsonl", "parquet", "html", "model"])
        .default("csv"),
    )
    .option("--out <file>", "write to this file instead of printing; a model's new folder", text)
    .addOption(new Option("--dtype <format>", "a model's numbers, fp32 by default").choices(["fp32", "bf16", "fp16"]))
    .addOption(
      new Option("--attempts <which>", "newest leaves out rows superseded by a resume or a rollback")
        .choices(["all", "newest"])
        .default("all"),
    )
    .option(...workspace)
    .action(
      does(async (run, options) =>
        (await import("../commands/export/index.ts")).exportRun({ run, ...options, terminal }),
      ),
    );

  command(
    "merge",
    "merge an adapter with its base into a whole model",
    "merge demo-1 demo-1-whole",
    "merge runs/demo-1/ppo/final demo-1-bf16 --dtype bf16",
    "merge my-peft-adapter merged --json",
  )
    .argument("<model>", "an adapter's folder, a run's id (its last stage's model), or a run's folder", text)
    .argument("<out>", "the new folder", text)
    .addOption(new Option("--dtype <format>", "the numbers' format, fp32 by default").choices(["fp32", "bf16", "fp16"]))
    .option(...workspace)
    .option("--json", "print the result as one line of JSON")
    .action(
      does(async (model, out, options) =>
        (await import("../commands/merge/index.ts")).merge({ model, out, ...options, terminal }),
      ),
    );

  command(
    "report",
    "report what runs did lately: incidents, alerts, settings, health",
    "report --since 7d",
    "report --since 24h --run demo-1 --format html --out report.html",
    "report --since 7d --send",
  )
    .option("--since <duration>", "how far back: 30m, 12h, 7d, 2w", "7d")
    .option("--run <run>", "only this run", text)
    .addOption(new Option("--format <format>", "output format").choices(["md", "html"]).default("md"))
    .option("--out <file>", "write to this file instead of printing", text)
    .option("--samples", "include the worst prompts and responses of incidents")
    .option("--send", "send it to the webhooks of its runs (control.notify)")
    .option(...workspace)
    .action(does(async (options) => (await import("../commands/report/index.ts")).report({ ...options, terminal })));

  command(
    "audit",
    "write all that decides what a run's model is, and check its record",
    "audit demo-1",
    "audit demo-1 --output /evidence/demo-1 --as 'Ann Lee'",
    "audit demo-1 --verify",
    "audit demo-1 --verify --head /evidence/demo-1/audit.json",
  )
    .argument("<run>", RUN, text)
    .option("--verify", "only check the record and the files; exits with 1 if anything was changed")
    .option("--head <hash>", "a head that an audit printed, or its audit.json: the record must still have it", text)
    .option("--output <dir>", "folder for audit.json and audit.html; default: `audit` in the run's folder", folder)
    .option(...AS)
    .option(...workspace)
    .option("--json", "print one line of JSON")
    .action(
      does(async (run, options) => (await import("../commands/audit/index.ts")).audit({ run, ...options, terminal })),
    );

  command(
    "serve",
    "serve the dashboard, and the newest values for Prometheus",
    "serve",
    "serve --port 9000 --workspace /tmp/runs",
    "serve --host 0.0.0.0",
  )
    .option("--port <n>", "port; 0 picks a free one", integer(0, 65_535), 9464)
    .option("--host <name>", "address to listen on; other machines need the token for everything", text, "127.0.0.1")
    .option("--open", "open the page in a browser")
    .option(...workspace)
    .action(does(async (options) => (await import("../commands/serve/index.ts")).serve({ ...options, terminal })));
}
