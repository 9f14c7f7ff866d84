/** What the definitions of commands share: how a command is added, and the arguments and options that many have. */
import type { Command } from "commander";
import { folder, text } from "../arguments.ts";
import type { Terminal } from "../terminal.ts";

export interface CommandMaker {
  /** Adds a command with examples in its help. */
  readonly command: (name: string, description: string, ...examples: string[]) => Command;
  /** The action of a command, whose code is loaded only when it runs. */
  readonly does: <A extends unknown[]>(work: (...args: A) => Promise<number>) => (...args: A) => Promise<void>;
  readonly terminal: Terminal;
}

export const RUN = "a run's id, as `ballast runs` shows it, or its folder";
export const OVERRIDES = "change settings of the configuration: key=value, such as ppo.kl.coef=0.1";
export const AS = ["--as <name>", "who gives this order, for the record; default: your login name", text] as const;
export const workspace = ["--workspace <dir>", "folder of the runs", folder, "runs"] as const;
