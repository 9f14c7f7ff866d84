/** `ballast generate`: a model answers prompts from the command line or from stdin. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { runOrigin } from "../../../config/run-manifest.ts";
import { openEngine } from "../../../engine/open-engine.ts";
import { findRun } from "../../../inspect/places.ts";
import { barePrompt, loadTokenizer, type Message } from "../../../text/index.ts";
import { verifyFolder } from "../../../trainer/atomic-folder.ts";
import { readFinal } from "../../../trainer/final.ts";
import { generate as answer } from "../../../trainer/generate.ts";
import { stateOf } from "../../../trainer/model-folder.ts";
import type { Generation } from "../../../trainer/run-types.ts";
import { CheckpointError, UsageError } from "../../../util/errors.ts";
import { printable } from "../../../util/sanitize.ts";
import { resumeCommand } from "../../find-run.ts";
import { jsonLine } from "../../json-line.ts";
import type { Terminal } from "../../terminal.ts";

export interface GenerateOptions {
  /** A model's folder, a run's id or a run's folder. */
  readonly model: string;
  /** The prompts; if empty, each line of stdin is one. */
  readonly prompts: readonly string[];
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly maxTokens: number;
  /** Answers per prompt. */
  readonly samples: number;
  readonly seed: number;
  readonly system?: string;
  /** Whether prompts are texts to continue, even if the model has a chat template. */
  readonly raw?: boolean;
  readonly threads: number;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function generate(options: GenerateOptions): Promise<number> {
  const { prompts, system, raw = false, maxTokens, threads, terminal } = options;
  if (raw && system !== undefined)
    throw new UsageError("--raw takes no --system: a raw text has no roles", "Put it at the prompt's beginning.");
  const folder = findModel(options.model, options.workspace);
  await verifyFolder(folder);
  await checkOrigin(folder);
  const tokenizer = loadTokenizer(folder, raw ? { chatTemplate: null } : {});
  const engine = await openEngine({ threads, onNote: terminal.note });
  const reply = async (texts: readonly string[]) => {
    const conversations = texts.map((content): Message[] =>
      system === undefined
        ? barePrompt(content)
        : [
            { role: "system", content: system },
            { role: "user", content },
          ],
    );
    const answers = await answer({
      ...options,
      engine,
      tokenizer,
      folder,
      prompts: conversations,
      maxNewTokens: maxTokens,
    });
    print(answers, options);
  };
  try {
    if (prompts.length > 0) await reply(prompts);
    else if (process.stdin.isTTY === true) {
      terminal.note("Type a prompt and press Enter; end with Ctrl-D.");
      for await (const line of lines()) await reply([line]);
    } else {
      const texts: string[] = [];
      for await (const line of lines()) texts.push(line);
      if (texts.length === 0)
        throw new UsageError("there is no prompt", "Give one as an argument, or one a line on stdin.");
      await reply(texts);
    }
  } finally {
    await engine.close();
  }
  return 0;
}

/** Throws CheckpointError if the folder is a stage's result in a run's folder, and belongs to a different run. */
async function checkOrigin(folder: string): Promise<void> {
  const path = resolve(folder);
  const stage = dirname(path);
  const origin = basename(path) === "final" ? runOrigin(dirname(stage)) : null;
  if (origin !== null) await readFinal(stage, origin);
}

/** The model's folder: the given one, or the last language model of the given run. */
function findModel(model: string, workspace: string): string {
  for (const folder of [model, join(model, "final")])
    if (existsSync(join(folder, "model.safetensors")) || stateOf(folder) !== folder) return folder;
  const place = findRun(model, workspace, { what: "model or run" });
  const { id, folder: run } = place;
  for (const stage of ["ppo", "sft"]) {
    const folder = join(run, stage, "final");
    if (existsSync(folder)) return folder;
  }
  throw new CheckpointError(
    `run ${id} has not finished a stage that makes a language model`,
    `Continue it first: ${resumeCommand(place)}`,
  );
}

async function* lines(): AsyncGenerator<string> {
  for await (const line of createInterface({ input: process.stdin })) if (line.trim() !== "") yield line;
}

function print(answers: readonly Generation[], { json = false, samples, prompts, terminal }: GenerateOptions): void {
  const c = terminal.outColours;
  const alone = samples === 1 && (answers.length === 1 || prompts.length === 1);
  for (const [i, answer] of answers.entries()) {
    if (json) terminal.out(jsonLine(answer));
    else {
      if (!alone && i % samples === 0) terminal.out(c.bold(`> ${printable(answer.prompt)}`));
      const cut = answer.stopReason === "length" ? c.dim(" […]") : "";
      const text = printable(answer.response);
      terminal.out(alone ? text + cut : `  ${text === "" ? c.dim("(nothing)") : text}${cut}`);
    }
  }
}
