/** `ballast chat`: a conversation with a model in the terminal, or with two side by side. */
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Engine } from "../../../engine/engine.ts";
import { openEngine } from "../../../engine/open-engine.ts";
import { barePrompt, type Message, type Tokenizer } from "../../../text/index.ts";
import { type Answer, answerInPieces } from "../../../trainer/answer-pieces.ts";
import { loadTrunk } from "../../../trainer/stage-models.ts";
import { BallastError, DataError, messageOf } from "../../../util/errors.ts";
import { printable } from "../../../util/sanitize.ts";
import { type AnsweringKind, answeringEngine } from "../../answering-engine.ts";
import { writeExport } from "../../export-file.ts";
import { closeAtSignal } from "../../interrupt.ts";
import { jsonLine } from "../../json-line.ts";
import { loadModelTokenizer } from "../../model-tokenizer.ts";
import { shortPath } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";
import { type ChatModel, chatModels } from "./chat-models.ts";
import { chatHelp, type Word, wordOf } from "./chat-words.ts";

export interface ChatOptions {
  /** A run's id, a run's folder or a model's folder. */
  readonly target: string;
  /** `before`, `after`, the iterations of a checkpoint, or other models; one or two. */
  readonly model?: readonly string[];
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly maxTokens: number;
  readonly seed: number;
  readonly system?: string;
  readonly threads: number;
  /** By default the run's. */
  readonly engine?: AnsweringKind;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
  /** The lines that the user types; by default stdin, with a prompt if it is a terminal. */
  readonly lines?: ChatLines;
}

/** Lines, and whether Ctrl-C was pressed while a line is answered. */
export interface ChatLines extends AsyncIterable<string> {
  /** Whether somebody types: text is then shown as it comes. */
  readonly typed: boolean;
  /** Shows that the next line is awaited. */
  ready(): void;
  /** Whether the present answer is to end; forgets it. */
  stopped(): boolean;
  close(): void;
}

/** A model in the chat with its own side of the conversation. */
interface Side extends ChatModel {
  readonly id: string;
  readonly context: number;
  readonly tokenizer: Tokenizer;
  /** Without a chat template each message is a text to continue, and there is no conversation. */
  readonly converses: boolean;
  messages: Message[];
}

export async function chat(options: ChatOptions): Promise<number> {
  const { target, model = [], system, threads, workspace, json = false, terminal } = options;
  const named = await chatModels(target, model, workspace);
  const folders = named.map(({ folder }) => folder);
  const choice = answeringEngine({ target, workspace, folders, asked: options.engine });
  const engine = await openEngine({ ...choice, threads, onNote: terminal.note });
  const dispose = closeAtSignal(engine, choice);
  let lines: ChatLines | null = null;
  try {
    const sides: Side[] = [];
    for (const one of named) sides.push(await sideOf(engine, one, options));
    lines = options.lines ?? typedLines(terminal);
    for (const { name, converses } of sides)
      if (!converses)
        terminal.note(
          `${name} has no chat template: each line is a text that it continues${system === undefined ? "" : ", and --system is not used"}`,
        );
    if (lines.typed)
      terminal.note(terminal.noteColours.dim("Type a message and press Enter. /help lists what else there is."));
    let { temperature } = options;
    let failed = false;
    let turn = 0;
    lines.ready();
    for await (const line of lines) {
      const word: Word = wordOf(line);
      if (word.kind === "quit") break;
      if (word.kind === "message") {
        if (word.text !== "")
          failed = !(await reply(word.text, { ...options, temperature, sides, engine, lines, turn: turn++ })) || failed;
      } else if (word.kind === "reset") {
        for (const side of sides) side.messages = opening(options);
        terminal.note("A new conversation.");
      } else if (word.kind === "save") terminal.note(saved(word.path, sides));
      else if (word.kind === "temperature") {
        temperature = word.value;
        terminal.note(`Temperature ${temperature}.`);
      } else if (word.kind === "help") for (const text of chatHelp) terminal.note(text);
      else terminal.note(word.says);
      lines.ready();
    }
    if (lines.typed && !json) terminal.note("");
    return failed ? 1 : 0;
  } finally {
    lines?.close();
    await engine.close();
    dispose();
  }
}

async function sideOf(engine: Engine, { name, folder }: ChatModel, options: ChatOptions): Promise<Side> {
  const tokenizer = loadModelTokenizer(folder);
  for (const said of tokenizer.notes) options.terminal.note(said);
  const { id, config } = await loadTrunk(engine, folder, {
    tokenizer,
    heads: ["lm"],
    seed: options.seed,
    frozen: true,
  });
  return {
    name,
    folder,
    id,
    context: config.context,
    tokenizer,
    converses: converses(tokenizer),
    messages: opening(options),
  };
}

function opening({ system }: Pick<ChatOptions, "system">): Message[] {
  return system === undefined ? [] : [{ role: "system", content: system }];
}

function converses(tokenizer: Tokenizer): boolean {
  try {
    tokenizer.encodePrompt([{ role: "user", content: "a" }]);
    return true;
  } catch (error) {
    if (error instanceof DataError) return false;
    throw error;
  }
}

interface Reply extends Omit<ChatOptions, "engine"> {
  readonly sides: readonly Side[];
  readonly engine: Engine;
  readonly lines: ChatLines;
  readonly turn: number;
}

/** Every side's answer to a message; false if one of them could not answer, which is said. */
async function reply(text: string, options: Reply): Promise<boolean> {
  const { sides, engine, lines, json = false, terminal, maxTokens } = options;
  const c = terminal.outColours;
  let whole = true;
  lines.stopped();
  for (const side of sides) {
    const { name, id, context, tokenizer } = side;
    const messages: Message[] = side.converses ? [...side.messages, { role: "user", content: text }] : barePrompt(text);
    const label = sides.length > 1 ? `${name}: ` : "";
    const streams = lines.typed && !json;
    if (streams) terminal.raw(c.bold(label));
    let answer: Answer;
    try {
      answer = await answerInPieces({
        ...options,
        ...{ engine, tokenizer, model: id, context, messages, maxNewTokens: maxTokens },
        onText: (piece) => streams && terminal.raw(printable(piece)),
        stopped: () => lines.stopped(),
      });
    } catch (error) {
      if (!(error instanceof BallastError)) throw error;
      if (streams) terminal.raw("\n");
      const hint = error.hint === undefined ? "" : ` ${error.hint}`;
      terminal.note(`${terminal.noteColours.red("error:")} ${messageOf(error)}.${hint}`);
      whole = false;
      continue;
    }
    side.messages = [...side.messages, { role: "user", content: text }, { role: "assistant", content: answer.text }];
    const nothing = answer.text === "" && lines.typed ? c.dim("(nothing)") : "";
    const end = `${nothing}${answer.reason === "stop" ? "" : c.dim(" […]")}`;
    if (json) terminal.out(jsonLine({ model: name, prompt: text, ...answer }));
    else if (streams) terminal.raw(`${end}\n`);
    else terminal.out(`${label}${printable(answer.text)}${end}`);
  }
  return whole;
}

/** Adds the conversation of each side to a file of rows; says what was done, or why not. */
function saved(path: string, sides: readonly Side[]): string {
  const rows = sides
    .filter(({ messages }) => messages.some(({ role }) => role === "assistant"))
    .map(({ name, messages }) => `${JSON.stringify({ messages, ...(sides.length > 1 && { model: name }) })}\n`);
  if (rows.length === 0) return "Nothing to save: there is no answer yet.";
  try {
    writeExport(
      path,
      (existsSync(path)
        ? readFileSync(path, "utf8")
            .replace(/(?<!\n)$/, "\n")
            .replace(/^\n$/, "")
        : "") + rows.join(""),
    );
    return `Added to ${shortPath(path)}.`;
  } catch (error) {
    return `Not saved: ${messageOf(error)}`;
  }
}

/** Lines of stdin. On a terminal with a prompt; Ctrl-C stops an answer, and pressed twice at the prompt ends the chat. */
function typedLines(terminal: Terminal): ChatLines {
  const typed = process.stdin.isTTY === true && terminal.redraws;
  const reader = createInterface({ input: process.stdin, ...(typed && { output: process.stderr, prompt: "> " }) });
  let stop = false;
  let answering = false;
  let warned = false;
  reader.on("SIGINT", () => {
    if (answering) stop = true;
    else if (warned) reader.close();
    else {
      // It may have been meant for an answer that has just ended.
      warned = true;
      terminal.raw("\nCtrl-C again, Ctrl-D or /quit ends the chat.\n");
      reader.prompt();
    }
  });
  reader.on("line", () => {
    warned = false;
  });
  return {
    typed,
    ready() {
      answering = false;
      if (typed) reader.prompt();
    },
    stopped() {
      const was = stop;
      stop = false;
      answering = true;
      return was;
    },
    close: () => reader.close(),
    [Symbol.asyncIterator]: () => reader[Symbol.asyncIterator](),
  };
}
