/** The program: its commands (`definitions/`), its help and its exit code. Imports nothing heavy: each command's code is loaded when it runs. */
import { type Argument, Command, CommanderError } from "commander";
import { version } from "../util/own-version.ts";
import type { CommandMaker } from "./definitions/command-maker.ts";
import { defineControl } from "./definitions/control-definitions.ts";
import { defineEngine } from "./definitions/engine-definitions.ts";
import { defineLab } from "./definitions/lab-definitions.ts";
import { defineRecord } from "./definitions/record-definitions.ts";
import { defineSources } from "./definitions/source-definitions.ts";
import { defineTraining } from "./definitions/training-definitions.ts";
import { mistyped, unknownCommand } from "./mistyped.ts";
import { pullingWhatIsMissing } from "./pull-missing.ts";
import type { Terminal } from "./terminal.ts";

export interface Program {
  readonly program: Command;
  /** The exit code of the command that ran; 0 for a command without one. */
  readonly exitCode: () => number;
}

/** Runs the command that the arguments name and returns its exit code; throws what the command throws. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  const { program, exitCode } = createProgram(terminal);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Either the help was requested, or it explains what was missing.
    if (error.exitCode === 0 || error.code === "commander.help") return error.exitCode === 0 ? 0 : 2;
    throw await mistyped(error, { program, args });
  }
  return exitCode();
}

export function createProgram(terminal: Terminal): Program {
  let exitCode = 0;
  const does: CommandMaker["does"] =
    (work) =>
    async (...args) => {
      exitCode = await pullingWhatIsMissing(() => work(...args), terminal);
    };

  const program: Command = new Command("ballast")
    .description("Trains language models with PPO from human feedback, under a stability controller.")
    .usage("<command> [options]")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    // With its arguments every line of the list would be longer than 80 columns.
    .configureHelp({ subcommandTerm: (sub) => (sub.parent === program ? sub.name() : termOf(sub)) })
    .exitOverride()
    // Mistakes are thrown like any other error.
    .configureOutput({
      writeOut: (text) => terminal.out(text.replace(/\n$/, "")),
      outputError: () => {},
    });
  const command: CommandMaker["command"] = (name, description, ...examples) =>
    program
      .command(name)
      .description(description)
      .addHelpText("after", `\nExamples:\n${examples.map((line) => `  $ ballast ${line}`).join("\n")}`);

  for (const define of [defineTraining, defineSources, defineRecord, defineLab, defineControl, defineEngine])
    define({ command, does, terminal });

  program
    .command("help")
    .description("show the help of a command")
    .argument("[command...]", "its name")
    .action((words: readonly string[]) => commandNamed(program, words).outputHelp());

  for (const parent of [program, ...program.commands.filter(({ commands }) => commands.length > 0)])
    parent.on("command:*", ([word = ""]: string[]) => {
      throw unknownCommand(parent, word);
    });

  program.addHelpText(
    "after",
    `
Start here:
  $ ballast demo               three stages on two cores, in about three minutes
  $ ballast run examples/helpdesk/pipeline.yaml
  $ ballast runs

Exit codes: 0 done, 1 error, 2 usage or configuration,
            3 stopped by the controller, 130 interrupted and saved.`,
  );
  return { program, exitCode: () => exitCode };
}

/** The command that these words name, or the program itself if there are none. */
function commandNamed(program: Command, words: readonly string[]): Command {
  return words.reduce((parent, word) => {
    const found = parent.commands.find((command) => command.name() === word);
    if (found === undefined) throw unknownCommand(parent, word);
    return found;
  }, program);
}

function termOf(command: Command): string {
  return [command.name(), ...command.registeredArguments.map(argumentTerm)].join(" ");
}

function argumentTerm(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}
