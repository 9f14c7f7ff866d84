/** Explains a command line that cannot be read: the nearest command or option, or where a setting belongs. */
import type { Command, CommanderError } from "commander";
import { UsageError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";

/** Ballast's commands by the names that similar programs use. */
const otherNames: Readonly<Record<string, string>> = {
  ...{ train: "run", start: "run", finetune: "sft", rm: "reward", rlhf: "run", continue: "resume", restart: "resume" },
  ...{ list: "runs", ls: "runs", ps: "runs", status: "runs", show: "history", log: "history", diff: "compare" },
  ...{ chat: "generate", sample: "generate", infer: "generate", ask: "generate", evaluate: "eval", test: "eval" },
  ...{ check: "doctor", validate: "doctor", lint: "doctor", dashboard: "serve", ui: "serve", server: "serve" },
  ...{ remove: "delete", del: "delete", clean: "delete", tag: "mark", note: "mark", archive: "mark" },
  ...{ download: "pull", fetch: "pull", get: "pull" },
  ...{ pause: "tell", stop: "tell", set: "tell", kill: "tell", version: "--version" },
};

/** The error for a word that is not a command below `parent`. */
export function unknownCommand(parent: Command, word: string): UsageError {
  const names = parent.commands.map((command) => command.name());
  const synonyms = parent.parent === null ? otherNames : {};
  const synonym = nearest(word, Object.keys(synonyms));
  const exact = Object.hasOwn(synonyms, word) ? synonyms[word] : undefined;
  const near = exact ?? nearest(word, names) ?? begins(word, names) ?? (synonym && synonyms[synonym]);
  const place = pathOf(parent);
  return new UsageError(
    word === "" ? "the command is empty" : `unknown command '${word}'`,
    near === undefined ? `The commands are ${names.join(", ")}.` : `Did you mean ${place} ${near}?`,
  );
}

/** The error for what commander says about options and arguments. */
export async function mistyped(
  { message, code }: CommanderError,
  { program, args }: { readonly program: Command; readonly args: readonly string[] },
): Promise<UsageError> {
  const command = commandIn(program, args);
  // Commander puts its own guess in a second line.
  const what = message.replace(/^error: /, "").replace(/\n\(Did you mean .*\)$/s, "");
  const help = `${pathOf(command)} --help shows its arguments and options.`;
  if (code !== "commander.unknownOption") return new UsageError(what, help);
  const [, option = ""] = /'(--?[^']*)'/.exec(what) ?? [];
  const word = option.replace(/^--?/, "").replace(/=.*/s, "");
  if (command.registeredArguments.some((argument) => argument.name() === "overrides")) {
    const { fields } = await import("../config/index.ts");
    const value = /=(.*)/s.exec(option)?.[1] ?? "VALUE";
    if (fields().some(({ path }) => path === word))
      return new UsageError(what, `Settings of the configuration take no dashes: ${word}=${value}`);
  }
  const names = command.options.flatMap(({ long }) => (long ? [long.slice(2)] : []));
  const near = nearest(word, [...names, "help"]) ?? begins(word, names);
  return new UsageError(what, near === undefined ? help : `Did you mean --${near}?`);
}

function begins(word: string, names: readonly string[]): string | undefined {
  return word === "" ? undefined : names.find((name) => name.startsWith(word));
}

/** The command named by the first words. */
function commandIn(program: Command, args: readonly string[]): Command {
  let command = program;
  for (const word of args) {
    const found = command.commands.find((one) => one.name() === word);
    if (found === undefined) break;
    command = found;
  }
  return command;
}

/** A command's full name: `ballast incidents show`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
