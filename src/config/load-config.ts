/** Loads a checked configuration from a YAML file and overrides, or from the record of a run. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { knownRules, unknownRule, usedRules } from "../control/rules/load-rules.ts";
import { helpdeskObjective } from "../data/index.ts";
import { readBaseConfig } from "../models/adapter-folder.ts";
import { type AlgorithmSettings, algorithmSettings } from "../settings/algorithm-table.ts";
import { type Config, configSchema, type PpoConfig } from "../settings/config-schema.ts";
import { type Stage, stages } from "../types/records.ts";
import { CheckpointError, messageOf, UsageError } from "../util/errors.ts";
import { remedyFor } from "../util/system-faults.ts";
import type { Path } from "../util/yaml-source.ts";
import { readSource, type Source } from "../util/yaml-source.ts";
import { checkConfig, startFolder } from "./checks.ts";
import { missingPaths, rebasePaths, requirePulled, withCachedPaths, withHubNames } from "./config-paths.ts";
import { chainOf } from "./extends-chain.ts";
import { withSetting } from "./live-changes.ts";
import { applyOverrides, type Overridden, parseOverride } from "./overrides.ts";
import { describeIssue, type Problem, pathOf, valueAt } from "./problems.ts";
import { emptyValues, isBelow, isEcho, withoutMistakes } from "./repair.ts";
import { usedSettings } from "./used.ts";

const seeDocs = "docs/config.md lists every key.";

export interface Loaded {
  /** The complete configuration, with defaults filled in and paths relative to the current directory. */
  readonly config: Config;
  /** One line for each setting without effect, and for each oddity. */
  readonly warnings: string[];
}

export interface LoadOptions {
  /** What is about to be trained: a model folder that is named but missing is then an error, not a warning. */
  readonly command?: "run" | Stage;
}

/**
 * Reads and checks a configuration, or only the overrides if there is no file. Every message begins with `file:line:` or the override it is
 * about.
 *
 * Errors: UsageError for anything that cannot run, reporting all mistakes at once: in the file and in overrides, in single values and
 * between settings, and files, folders and rules that do not exist or are of the wrong kind. NotPulledError if all is right, and something on the Hub
 * is still to be pulled.
 *
 * @example
 * const { config, warnings } = loadConfig("examples/helpdesk/pipeline.yaml", ["ppo.epochs=2"]);
 */
export function loadConfig(path: string | null, overrides: readonly string[] = [], options: LoadOptions = {}): Loaded {
  const text = path === null ? null : { text: textOf(path), file: path };
  return read(text, overrides, (reading) => [...missing(reading, options), ...rulesOf(reading)]);
}

/** Checks a configuration that a program has as a value, structured as the YAML file is. Paths are relative to the current directory. */
export function checkedConfig(value: object, options: LoadOptions = {}): Loaded {
  const text = { text: JSON.stringify(value, null, 2), file: "configuration" };
  return read(text, [], (reading) => [...missing(reading, options), ...rulesOf(reading)]);
}

/**
 * Parses and checks a configuration from a text; `file` names it in messages, and paths are relative to its folder. Reads no files but what
 * the text extends.
 */
export function parseConfig(text: string, file: string, overrides: readonly string[] = []): Loaded {
  return read({ text, file }, overrides);
}

/** What is known about a configuration, mistakes or not. */
interface Reading {
  /** What the user wrote, without defaults. */
  readonly root: unknown;
  readonly file: string | null;
  /** The configuration with defaults in place of wrong values; null if it cannot be repaired. */
  readonly config: Config | null;
  /** Whether something is wrong with the value at this key. */
  readonly wrong: (key: string) => boolean;
  readonly placed: (problem: Problem) => string;
  readonly warn: (problem: Problem) => void;
}

/** Reads a configuration. `more` adds checks of what is outside the text. */
function read(
  given: { readonly text: string; readonly file: string } | null,
  texts: readonly string[],
  more: (reading: Reading) => Mistake[] = () => [],
): Loaded {
  const mistakes: Mistake[] = [];
  const attempt = <Result>(work: () => Result): Result | null => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      mistakes.push(error);
      return null;
    }
  };
  const source = given && attempt(() => readSource(given.text, given.file));
  const parsedOverrides = texts.flatMap((text) => attempt(() => parseOverride(text)) ?? []);
  const extending = ({ path }: { readonly path: Path }) => path[0] === "extends";
  const overrides = parsedOverrides.filter((override) => !extending(override));
  if (!source && overrides.length < parsedOverrides.length)
    mistakes.push("override extends: there is no file that could add to it; name one");
  const chain = source && attempt(() => chainOf(source, parsedOverrides.findLast(extending)));
  // Nothing else is known about a file that is not YAML, or whose base is unknown.
  if (given && !chain) throw failure(mistakes);

  const { sources, root } = chain ?? { sources: [], root: {} };
  const applied = applyOverrides(root, overrides);
  const overridden = { ...applied, root: withCachedPaths(applied.root) };
  mistakes.push(...sources.flatMap(({ mistakes }) => mistakes), ...overridden.errors);
  const placed = ({ paths, message }: Problem) => `${placeOf(paths, sources, overridden)}: ${message}`;
  const isGiven = (path: string) => valueAt(overridden.root, path.split(".")) !== undefined;
  const { parsed, wrong: wrongValues, problems } = withoutMistakes(overridden.root);
  const wrong = [...wrongValues, ...sources.flatMap(({ repeated }) => repeated)];
  const empty = sources
    .flatMap((one) => one.emptyValues())
    .filter((path) => valueAt(overridden.root, path) === null && !overridden.overrideAt(path));
  mistakes.push(...[...problems, ...emptyValues(empty, overridden.root)].map(placed));
  const config = parsed && withDerivedDefaults(parsed, isGiven);
  const warnings: Problem[] = [];
  if (config) {
    const checked = checkConfig(config, isGiven);
    mistakes.push(...checked.errors.filter((problem) => !isEcho(problem, wrong)).map(placed));
    warnings.push(...checked.warnings);
  }
  const file = source?.file ?? null;
  const isWrong = (key: string) => wrong.some((path) => isBelow(pathOf(key), path));
  const warn = (problem: Problem) => warnings.push(problem);
  mistakes.push(...more({ root: overridden.root, file, config, wrong: isWrong, placed, warn }));
  if (mistakes.length > 0 || !config) throw failure(mistakes, file);
  requirePulled(overridden.root);
  return { config, warnings: warnings.map(placed) };
}

/** Mistakes for files and folders that do not exist or are of the wrong kind. */
function missing({ root, file, config, placed, warn }: Reading, { command }: LoadOptions): Mistake[] {
  const { errors, warnings } = missingPaths(root, file);
  const fatal = warnings.filter(({ section, path }) => {
    if (command === undefined || !config) return false;
    if (command !== "run" && stages.some((stage) => stage === section && stage !== command)) return false;
    // Only a stage of the same run can be about to make the folder.
    const alone = command !== "run" || stages.filter((stage) => config[stage] !== undefined).length === 1;
    return alone || !resolve(path).startsWith(resolve(config.workspace, `${config.name ?? command}-`));
  });
  for (const problem of warnings) if (!fatal.includes(problem)) warn(problem);
  const advice = "; an earlier stage makes such a folder: train that first, or name an existing one";
  return [...errors.map(placed), ...fatal.map((problem) => `${placed(problem)}${advice}`)];
}

/** Checks the rules before anything is trained. Their messages have the lines of their own file. */
function rulesOf({ config, placed, wrong }: Reading): Mistake[] {
  const { rules: path, disable } = config?.control ?? { disable: [] };
  if (!config || wrong("control.rules") || wrong("control.disable")) return [];
  if (path !== undefined && !existsSync(path)) return [];
  try {
    const known = knownRules(path);
    const unknown = unknownRule(known.rules, disable);
    if (unknown !== null) return [placed({ paths: [["control", "disable"]], message: `control.disable: ${unknown}` })];
    if (config.ppo && !wrong("ppo.iterations")) usedRules(known, { disable, iterations: config.ppo.iterations });
    return [];
  } catch (error) {
    if (error instanceof UsageError) return [error];
    throw error;
  }
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
    // With the inner 0.5 of docs/PPO.md row 10, a coefficient of 1 is the published 0.5.
    ppo: config.ppo && withAlgorithmDefaults(withValueCoef(config.ppo), given),
  };
}

function withValueCoef(ppo: PpoConfig): PpoConfig {
  return ppo.criticKind === "shared" ? { ...ppo, valueCoef: ppo.valueCoef ?? 1 } : ppo;
}

function withAlgorithmDefaults(ppo: PpoConfig, given: (path: string) => boolean): PpoConfig {
  const { defaults }: AlgorithmSettings = algorithmSettings[ppo.algorithm];
  return Object.entries(defaults)
    .filter(([key]) => !given(`ppo.${key}`))
    .reduce((section, [key, value]) => withSetting(section, key.split("."), value) as PpoConfig, ppo);
}

/** Where the user wrote what a problem is about: an override that touches it, else the line in the file or in what it extends. */
function placeOf(paths: readonly Path[], sources: readonly Source[], { overrideAt }: Overridden): string {
  const override = paths.map(overrideAt).find((found) => found !== undefined);
  if (override) return `override ${override.text}`;
  const [own] = sources;
  if (!own) return "configuration";
  const found = paths.flatMap((path) => sources.filter((one) => one.has(path)).map((source) => ({ source, path })))[0];
  const { source, path } = found ?? { source: own, path: paths[0] ?? [] };
  return `${source.file}:${source.lineOf(path)}`;
}

/** A message with its place, or an error with a hint of its own whose message has the place on each line. */
type Mistake = string | UsageError;

/** All mistakes in one error: first the configuration's own lines in order, then those of other files. */
function failure(mistakes: readonly Mistake[], file: string | null = null): UsageError {
  const [only] = mistakes;
  if (mistakes.length === 1 && only instanceof UsageError) {
    only.hint ??= seeDocs;
    return only;
  }
  const lines = mistakes.flatMap((mistake) =>
    typeof mistake === "string" ? [mistake] : mistake.message.replace(/^\d+ mistakes .*\n/, "").split("\n"),
  );
  const lineOf = (message: string) => {
    if (message.startsWith("override ")) return 0;
    const own = file !== null && message.startsWith(`${file}:`);
    return own ? Number(/^\d+/.exec(message.slice(file.length + 1))?.[0] ?? 0) : Number.MAX_SAFE_INTEGER;
  };
  const sorted = [...new Set(lines)].sort((a, b) => lineOf(a) - lineOf(b));
  const text =
    sorted.length === 1 ? sorted[0]! : `${sorted.length} mistakes in the configuration\n${sorted.join("\n")}`;
  return new UsageError(text, seeDocs);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") {
      const whole = [".yaml", ".yml"].map((suffix) => `${path}${suffix}`).find((file) => existsSync(file));
      const hint = whole === undefined ? "Examples are in examples/." : `Did you mean ${whole}?`;
      throw new UsageError(`there is no configuration ${path}`, hint);
    }
    throw new UsageError(`cannot read the configuration ${path}: ${messageOf(error)}`, remedyFor(error));
  }
}

/**
 * The configuration as a run records it in `config.json` in its `folder`: every setting that has an effect, with paths relative to that
 * folder.
 */
export function recordedConfig(config: Config, folder: string): string {
  return `${JSON.stringify(rebasePaths(withHubNames(usedSettings(config)), { from: ".", to: folder }), null, 2)}\n`;
}

/**
 * The configuration with the sizes of the model that the run starts from, in place of defaults that are not used. Throws CheckpointError if
 * the model's folder cannot be read.
 */
export function withModelSizes(config: Config): Config {
  const folder = startFolder(config);
  if (folder === undefined || !existsSync(folder)) return config;
  const { family, layers, width, heads, kvHeads, headDim, innerWidth, context, tieEmbeddings } = readBaseConfig(folder);
  const sizes = { family, layers, width, heads, kvHeads, headDim, innerWidth, context, tieEmbeddings };
  return { ...config, model: { ...config.model, ...sizes } };
}

/** Longest sequence of the model in a folder, without loading it; null if there is no model that a family here reads. */
export function contextIn(folder: string): number | null {
  try {
    return readBaseConfig(folder).context;
  } catch {
    return null;
  }
}

/**
 * Reads back what `recordedConfig` wrote into `folder`, even if the run has moved since. A name on the Hub that the cache lacks stays
 * (`requirePulled`). Errors: CheckpointError if the text is incomplete or was written by a version with different fields.
 */
export function parseResolvedConfig(json: string, folder = "."): Config {
  let root: unknown;
  try {
    root = JSON.parse(json);
  } catch (error) {
    throw new CheckpointError(
      `the recorded configuration in ${folder} is damaged: ${messageOf(error)}`,
      "Restore config.json from a copy of that folder.",
      { cause: error },
    );
  }
  const parsed = configSchema.safeParse(root);
  if (parsed.success) return withCachedPaths(rebasePaths(parsed.data, { from: folder, to: "." }));
  const messages = parsed.error.issues.flatMap((issue) => describeIssue(issue, root)).map(({ message }) => message);
  throw new CheckpointError(
    `the recorded configuration in ${folder} does not fit this version: ${messages.join("; ")}`,
    "Use the version of Ballast that began the run.",
  );
}
