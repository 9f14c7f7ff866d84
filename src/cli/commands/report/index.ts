/** `ballast report`: what runs did recently, as Markdown or HTML, to a file or through the webhooks. */
import { type Config, parseResolvedConfig } from "../../../config/index.ts";
import { findRun } from "../../../inspect/places.ts";
import {
  type Hook,
  hooksOf,
  htmlOf,
  markdownOf,
  parseDuration,
  type Report,
  reportBlocks,
  reportNotice,
  reportOf,
  reportTitle,
  sendNow,
} from "../../../notify/index.ts";
import { withStore } from "../../../store/index.ts";
import { UsageError } from "../../../util/errors.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { writeExport } from "../../export-file.ts";
import { shortPath } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";

export interface ReportOptions {
  /** A duration such as `7d`. */
  readonly since: string;
  readonly run?: string;
  readonly format: "md" | "html";
  readonly out?: string;
  readonly samples?: boolean;
  readonly send?: boolean;
  readonly workspace: string;
  readonly terminal: Terminal;
  readonly env?: NodeJS.ProcessEnv;
  readonly now?: number;
}

export async function report(options: ReportOptions): Promise<number> {
  const { since, run, format, out, samples = false, send = false, workspace, terminal, env = process.env } = options;
  const span = parseDuration(since);
  if (span === null)
    throw new UsageError(`--since ${since}: expected a duration`, "Give a number and m, h, d or w: 30m, 12h, 7d, 2w.");
  const place = run === undefined ? null : findRun(run, workspace);
  const until = (options.now ?? Date.now()) + 1;
  const asked = { since: until - span, until, ...(place && { run: place.id }) };
  const made = withStore(place?.workspace ?? workspace, (store) => reportOf(store, asked));
  // Missing webhooks are reported before anything is written.
  const hooks = send ? hooksFor(made, env) : [];
  const blocks = reportBlocks(made, { samples });
  const text = format === "html" ? htmlOf(blocks, { title: reportTitle(made) }) : markdownOf(blocks);
  if (out !== undefined) {
    writeExport(out, text);
    terminal.note(`written to ${printableLine(shortPath(out))}`);
  } else if (!send) terminal.out(text.trimEnd());
  if (!send) return 0;
  const answers = await sendNow(reportNotice(made), hooks);
  for (const [i, answer] of answers.entries())
    terminal.note(answer.ok ? `sent to ${hooks[i]?.name}` : `${terminal.noteColours.red("error:")} ${answer.reason}`);
  return answers.every(({ ok }) => ok) ? 0 : 1;
}

/** The webhooks of every run in the report, each address once. */
function hooksFor({ runs }: Report, env: NodeJS.ProcessEnv): Hook[] {
  const hooks = new Map<string, Hook>();
  for (const { run } of runs)
    for (const hook of hooksOf(notifyOf(run.config), env)) hooks.set(`${hook.kind} ${hook.url}`, hook);
  if (hooks.size === 0)
    throw new UsageError("no run in this report has a webhook", "Add one to a run's configuration: control.notify.");
  return [...hooks.values()];
}

function notifyOf(recorded: string): Config["control"]["notify"] {
  return parseResolvedConfig(recorded).control.notify;
}
