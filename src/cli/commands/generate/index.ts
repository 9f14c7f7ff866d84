/** `ballast generate`: a model answers prompts from the command line or from stdin. */
import { createInterface } from "node:readline";
import { openEngine } from "../../../engine/open-engine.ts";
import { barePrompt, type Message } from "../../../text/index.ts";
import { generate as answer } from "../../../trainer/generate.ts";
import type { Generation } from "../../../trainer/run-types.ts";
import { UsageError } from "../../../util/errors.ts";
import { printable } from "../../../util/sanitize.ts";
import { type AnsweringKind, answeringEngine } from "../../answering-engine.ts";
import { findModel } from "../../find-model.ts";
import { closeAtSignal } from "../../interrupt.ts";
import { jsonLine } from "../../json-line.ts";
import { loadModelTokenizer } from "../../model-tokenizer.ts";
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
  /** By default the run's. */
  readonly engine?: AnsweringKind;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function generate(options: GenerateOptions): Promise<number> {
  const { prompts, system, raw = false, maxTokens, threads, terminal } = options;
  if (raw && system !== undefined)
    throw new UsageError("--raw takes no --system: a raw text has no roles", "Put it at the prompt's beginning.");
  const folder = await findModel(options.model, options.workspace);
  const tokenizer = loadModelTokenizer(folder, raw ? { chatTemplate: null } : {});
  for (const said of tokenizer.notes) terminal.note(said);
  const { model: target, workspace, engine: asked } = options;
  const choice = answeringEngine({ target, workspace, folders: [folder], asked });
  const engine = await openEngine({ ...choice, threads, onNote: terminal.note });
  const dispose = closeAtSignal(engine, choice);
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
    dispose();
  }
  return 0;
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
