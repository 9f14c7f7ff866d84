/** Questions in the terminal, one line each: an answer is checked at once, and asked for again with the reason if it cannot be used. */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { BallastError, Interrupted, messageOf } from "../../../util/errors.ts";
import { fromHome } from "../../../util/platform.ts";
import { pullingWhatIsMissing } from "../../pull-missing.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";

/** Reads one line after a prompt. Rejects with Interrupted once nobody answers any more. */
export type ReadLine = (prompt: string) => Promise<string>;

export interface OpenedQuestions {
  readonly readLine: ReadLine;
  close(): void;
}

/** Reads lines from the terminal; Tab completes paths. */
export function questionsOnTerminal(): OpenedQuestions {
  const lines = createInterface({ input: process.stdin, output: process.stderr, completer: completePath });
  let asking = false;
  const ended = new Promise<never>((_, reject) => {
    lines.once("close", () => {
      // The message belongs below the question's line.
      if (asking) process.stderr.write("\n");
      reject(new Interrupted("stopped: nothing was written"));
    });
  });
  ended.catch(() => {});
  return {
    readLine: async (prompt) => {
      asking = true;
      const line = await Promise.race([lines.question(prompt), ended]);
      asking = false;
      return line;
    },
    close: () => lines.close(),
  };
}

/** The entries of a folder that continue the last path of a line. */
export function completePath(line: string): [string[], string] {
  const typed = /\S*$/.exec(line)![0];
  const folder = typed.endsWith("/") ? typed : dirname(typed);
  const start = typed.endsWith("/") ? "" : basename(typed);
  try {
    const found = readdirSync(fromHome(folder), { withFileTypes: true })
      .filter(({ name }) => name.startsWith(start) && (start.startsWith(".") || !name.startsWith(".")))
      .map(
        (entry) => `${typed.includes("/") ? join(folder, entry.name) : entry.name}${entry.isDirectory() ? "/" : ""}`,
      );
    return [found, typed];
  } catch {
    return [[], typed];
  }
}

export interface Asking {
  readonly readLine: ReadLine;
  readonly terminal: Terminal;
}

export interface Question<Answer> {
  readonly title: string;
  /** Lines of help below the title. */
  readonly help?: readonly string[];
  /** What Enter stands for. */
  readonly otherwise?: string;
  /** Turns the answer into a value. A thrown BallastError is shown, and the question asked again. */
  readonly use: (answer: string) => Answer | Promise<Answer>;
}

export async function ask<Answer>({ readLine, terminal }: Asking, question: Question<Answer>): Promise<Answer> {
  const { title, help = [], otherwise, use } = question;
  const { noteColours: c } = terminal;
  const tell = (text: string, dress: (line: string) => string) => {
    for (const line of wrap(text, terminal.noteWidth() - 2)) terminal.note(dress(line));
  };
  terminal.note("");
  tell(title, c.bold);
  for (const line of help) tell(line, c.dim);
  for (;;) {
    const given = (await readLine(otherwise === undefined ? "> " : `[${otherwise}] > `)).trim();
    const answer = given === "" ? (otherwise ?? "") : given;
    if (answer === "") {
      tell("An answer is needed; Ctrl-C leaves without writing anything.", c.yellow);
      continue;
    }
    try {
      let value: Answer;
      await pullingWhatIsMissing(async () => {
        value = await use(answer);
        return 0;
      }, terminal);
      return value!;
    } catch (error) {
      if (!(error instanceof BallastError) || error instanceof Interrupted) throw error;
      tell(messageOf(error), c.yellow);
      if (error.hint !== undefined) tell(error.hint, c.dim);
    }
  }
}

/** One of several, by its number or its name. */
export interface Choice<Value> {
  readonly name: string;
  readonly says: string;
  readonly value: Value;
}

/** Asks for one of the choices; Enter takes the first. */
export function choose<Value>(
  asking: Asking,
  { title, choices }: { readonly title: string; readonly choices: readonly Choice<Value>[] },
): Promise<Value> {
  return ask(asking, {
    title,
    help: choices.map(({ name, says }, i) => `${i + 1}. ${name}: ${says}`),
    otherwise: "1",
    use: (answer) => {
      const chosen = choices.find(({ name }, i) => answer === String(i + 1) || answer === name);
      if (chosen === undefined) throw new BallastError(`give a number from 1 to ${choices.length}`);
      return chosen.value;
    },
  });
}
