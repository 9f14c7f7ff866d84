/** From a YAML file and overrides to a checked configuration; and from the configuration that a run recorded. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { helpdeskObjective } from "../data/index.ts";
import { CheckpointError, messageOf, UsageError } from "../util/errors.ts";
import { checkConfig, startFolder } from "./checks.ts";
import type { Path } from "./fields.ts";
import { applyOverrides, type Overridden, parseOverride } from "./overrides.ts";
import { missingPaths, rebasePaths } from "./paths.ts";
import { describeIssue, type Problem, valueAt } from "./problems.ts";
import { knownRules, unknownRule, usedRules } from "./rules.ts";
import { type Config, configSchema } from "./schema.ts";
import { readSource, type Source } from "./source.ts";

export interface Loaded {
  /** Complete, with defaults filled in and paths relative to the current directory. */
  readonly config: Config;
  /** One line each: settings without effect, and what is odd. */
  readonly warnings: string[];
  /** Those of the warnings that a model's folder is not there, by the section that names it. */
  readonly missingModels: readonly { readonly section: keyof Config; readonly warning: string }[];
}

/**
 * Reads and checks a configuration; without a file, the overrides alone. Every message begins with `file:line:` or the
 * override it is about.
 *
 * Errors: UsageError, with all that was found, for anything that cannot run, files it names that do not exist among it.
 *
 * @example
 * const { config, warnings } = loadConfig("examples/helpdesk/pipeline.yaml", ["ppo.epochs=2"]);
 */
export function loadConfig(path: string | null, overrides: readonly string[] = []): Loaded {
  const reading = path === null ? read(null, overrides) : read(readSource(textOf(path), path), overrides);
  const missing = missingPaths(reading.root, path);
  if (missing.errors.length > 0) throw failure(missing.errors.map(reading.placed));
  checkRules(reading);
  const missingModels = missing.warnings.map((problem) => ({
    section: problem.paths[0]![0] as keyof Config,
    warning: reading.placed(problem),
  }));
  const warnings = [...reading.warnings, ...missingModels.map(({ warning }) => warning)];
  return { config: reading.config, warnings, missingModels };
}

/** The same from a text; `file` names it in messages, and paths are relative to its folder. Looks at no files. */
export function parseConfig(text: string, file: string, overrides: readonly string[] = []): Loaded {
  const { config, warnings, missingModels } = read(readSource(text, file), overrides);
  return { config, warnings, missingModels };
}

interface Reading extends Loaded {
  /** What the user wrote, without defaults. */
  readonly root: unknown;
  readonly placed: (problem: Problem) => string;
}

function read(source: Source | null, overrides: readonly string[]): Reading {
  const root = rebasePaths(source?.root ?? {}, { from: source ? dirname(source.file) : ".", to: "." });
  const overridden = applyOverrides(root, overrides.map(parseOverride));
  const placed = ({ paths, message }: Problem) => `${placeOf(paths, source, overridden)}: ${message}`;
  const parsed = configSchema.safeParse(overridden.root);
  if (!parsed.success) {
    throw failure(parsed.error.issues.flatMap((issue) => describeIssue(issue, overridden.root)).map(placed));
  }
  const given = (path: string) => valueAt(overridden.root, path.split(".")) !== undefined;
  const config = withDerivedDefaults(parsed.data, given);
  const { errors, warnings } = checkConfig(config, given);
  if (errors.length > 0) throw failure(errors.map(placed));
  return { config, warnings: warnings.map(placed), missingModels: [], root: overridden.root, placed };
}

/** Bad rules are found before anything is trained. Their messages have the lines of their own file. */
function checkRules({ config, placed }: Reading): void {
  const { rules: path, disable } = config.control;
  const known = knownRules(path);
  const unknown = unknownRule(known.rules, disable);
  if (unknown !== null)
    throw failure([placed({ paths: [["control", "disable"]], message: `control.disable: ${unknown}` })]);
  if (config.ppo) usedRules(known, { disable, iterations: config.ppo.iterations });
}

/** Defaults that depend on other fields. */
function withDerivedDefaults(config: Config, given: (path: string) => boolean): Config {
  const folder = startFolder(config);
  const ownTokenizer = folder !== undefined && (config.tokenizer.kind === "file" || !given("tokenizer.kind"));
  return {
    ...config,
    objective: config.objective === "" && config.demo ? helpdeskObjective : config.objective,
    tokenizer:
      ownTokenizer && config.tokenizer.path === undefined
        ? { ...config.tokenizer, kind: "file", path: folder }
        : config.tokenizer,
    // 1, because of the inner 0.5 of PPO.md row 10, is the published 0.5.
    ppo: config.ppo?.criticKind === "shared" ? { ...config.ppo, valueCoef: config.ppo.valueCoef ?? 1 } : config.ppo,
  };
}

/** Where the user wrote what a problem is about: an override that touches it, else the line of the file. */
function placeOf(paths: readonly Path[], source: Source | null, { overrideAt }: Overridden): string {
  const override = paths.map(overrideAt).find((found) => found !== undefined);
  if (override) return `override ${override.text}`;
  if (!source) return "configuration";
  const written = paths.find((path) => source.has(path)) ?? paths[0] ?? [];
  return `${source.file}:${source.lineOf(written)}`;
}

function failure(messages: readonly string[]): UsageError {
  const lineOf = (message: string) => Number(/:(\d+): /.exec(message)?.[1] ?? 0);
  const sorted = [...new Set(messages)].sort((a, b) => lineOf(a) - lineOf(b));
  const text =
    sorted.length === 1 ? sorted[0]! : `${sorted.length} mistakes in the configuration\n${sorted.join("\n")}`;
  return new UsageError(text, "docs/config.md lists every key.");
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new UsageError(`there is no configuration ${path}`, "Examples lie in examples/.");
    throw new UsageError(`cannot read the configuration ${path}: ${messageOf(error)}`);
  }
}

/** The configuration as a run records it in `config.json` of its `folder`: complete, with paths relative to that folder. */
export function recordedConfig(config: Config, folder: string): string {
  return `${JSON.stringify(rebasePaths(config, { from: ".", to: folder }), null, 2)}\n`;
}

/**
 * Reads back what `recordedConfig` wrote into `folder`; the run may have moved since. Errors: CheckpointError for a text
 * that is incomplete or was written by a version that knew other fields.
 */
export function parseResolvedConfig(json: string, folder = "."): Config {
  let root: unknown;
  try {
    root = JSON.parse(json);
  } catch (error) {
    throw new CheckpointError(
      `the recorded configuration in ${folder} is damaged: ${messageOf(error)}`,
      "Put config.json back from a copy of that folder.",
      { cause: error },
    );
  }
  const parsed = configSchema.safeParse(root);
  if (parsed.success) return rebasePaths(parsed.data, { from: folder, to: "." });
  const messages = parsed.error.issues.flatMap((issue) => describeIssue(issue, root)).map(({ message }) => message);
  throw new CheckpointError(
    `the recorded configuration in ${folder} does not fit this version: ${messages.join("; ")}`,
    "Go on with the version of Ballast that began the run.",
  );
}
