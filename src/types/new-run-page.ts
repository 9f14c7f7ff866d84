/** What the page sends and receives to begin a run. No code. */
import type { DiagnosisAnswer } from "./page.ts";

/** GET /api/new-run: what a new run may begin with. */
export interface NewRunAnswer {
  /** Shipped templates, each with the first sentence of its comments. */
  readonly templates: readonly { readonly name: string; readonly says: string }[];
  /** Configuration files below the server's current directory. */
  readonly files: readonly string[];
  /** Folders of models in the workspace. */
  readonly models: readonly string[];
  /** Attempts of this server to begin a run, newest first. */
  readonly starts: readonly StartedRun[];
}

/** POST /api/new-run/check, and /api/new-run/start: a configuration that builds on a template or a file. Paths are relative to the server's current directory. */
export interface NewRunRequest {
  /** A template's name, or a file's path. */
  readonly extends: string;
  /** The run will be called `<name>-<n>`; empty for that of the file. */
  readonly name: string;
  /** Texts by key: `objective`, `model.path`, `ppo.prompts.path`; `ppo.rewards` is the file of a reward function. Empty ones are left out. */
  readonly texts: Readonly<Record<string, string>>;
  /** More settings, each as `key=value`. */
  readonly settings: readonly string[];
}

/** The answer to a check, which changes nothing. */
export interface NewRunCheck {
  /** The configuration as it will be written. */
  readonly yaml: string;
  /** Why it cannot run, in lines; null if it can. */
  readonly problem: { readonly error: string; readonly hint?: string } | null;
  readonly warnings: readonly string[];
  readonly objective: string;
  readonly stages: readonly string[];
  /** The doctor's findings; null if it could not read the configuration. */
  readonly findings: DiagnosisAnswer["findings"];
  /** What the run takes of this machine's memory, in bytes; null if it is not known. */
  readonly plan: {
    readonly stage: string;
    readonly total: number;
    readonly memory: number;
    readonly fits: boolean;
    readonly lines: readonly { readonly what: string; readonly bytes: number }[];
  } | null;
}

/** A run that the page began, as a process of its own. */
export interface StartedRun {
  /** Number of the start; GET /api/new-run lists them. */
  readonly id: number;
  /** The configuration's file, and the command that does the same. */
  readonly file: string;
  readonly command: string;
  readonly at: number;
  /** `starting`: it reads its rows and makes its folder. */
  readonly state: "starting" | "running" | "ended" | "failed";
  /** The run's id, once it has one. */
  readonly run: string | null;
  /** The last lines that the process wrote. */
  readonly said: string;
}

/** What begins runs: a part of the program above the server. */
export interface RunDesk {
  readonly offers: () => NewRunAnswer;
  readonly check: (request: NewRunRequest) => Promise<NewRunCheck>;
  /** Writes the configuration and starts its process, without waiting for it. The run records the operator, by default the user who runs the server. */
  readonly start: (request: NewRunRequest, by?: { readonly operator: string }) => StartedRun;
}
