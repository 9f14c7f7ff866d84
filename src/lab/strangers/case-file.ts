/** Reads a suite of strangers: folders with a `case.yaml`, each a run with a fault or a healthy one. suites/strangers/README.md has the format. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { missingPaths } from "../../config/config-paths.ts";
import { type Config, parseConfig } from "../../config/index.ts";
import { causes } from "../../control/diagnosis/causes.ts";
import { messageOf, UsageError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import { readSource } from "../../util/yaml-source.ts";

export interface StrangerCase {
  /** The folder's name. */
  readonly name: string;
  readonly says: string;
  /** The base's name, and its configuration: the same run without the fault. */
  readonly base: string;
  readonly healthy: Config;
  readonly kind: "fault" | "healthy";
  /** First iteration of the fault; 0: the whole run. */
  readonly onset: number;
  /** Whether stopping, or settings that the controller moves, can save the policy. */
  readonly recoverable: boolean;
  /** Whether the reward counts its calls, so that no run continues from the middle of another one. */
  readonly remembers: boolean;
  /** Ids of the causes that count as right. */
  readonly causes: readonly string[];
  /** The configuration with the fault in force. */
  readonly config: Config;
  /** Whether anything differs from the base. */
  readonly plain: boolean;
}

const shipped = fileURLToPath(new URL("../../../suites/strangers/", import.meta.url));
const seeReadme = "suites/strangers/README.md has the format.";

const caseSchema = z.strictObject({
  says: z.string().min(1),
  base: z.string().min(1),
  kind: z.enum(["fault", "healthy"]),
  onset: z.int().min(0).default(0),
  recoverable: z.boolean().default(false),
  remembers: z.boolean().default(false),
  causes: z.array(z.string()).default([]),
  set: z.record(z.string(), z.unknown()).default({}),
});

/** The shipped suite's folder. */
export const shippedSuite = shipped;

/** Reads every case of a suite, in the order of their names. Throws UsageError with all mistakes at once. */
export function readSuite(folder: string): StrangerCase[] {
  if (!existsSync(folder)) throw new UsageError(`there is no suite ${folder}`, seeReadme);
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, "case.yaml")))
    .map(({ name }) => name)
    .sort();
  if (names.length === 0) throw new UsageError(`${folder} holds no case: no folder in it has a case.yaml`, seeReadme);
  const mistakes: string[] = [];
  const read = names.flatMap((name) => {
    try {
      return [readCase(folder, name)];
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      mistakes.push(error.message);
      return [];
    }
  });
  if (mistakes.length > 0) throw new UsageError(mistakes.join("\n"), seeReadme);
  return read;
}

function readCase(suite: string, name: string): StrangerCase {
  const file = join(suite, name, "case.yaml");
  const shown = relative(".", file);
  const source = readSource(readFileSync(file, "utf8"), shown);
  if (source.mistakes.length > 0) throw new UsageError(source.mistakes.join("\n"));
  if (!/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(name))
    throw new UsageError(`${shown}: a case's folder has letters, digits and dashes in its name, and this is ${name}`);
  const parsed = caseSchema.safeParse(source.root);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => {
      const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
      return `${shown}:${source.lineOf(path)}: ${path.join(".") || "case"}: ${issue.message}`;
    });
    throw new UsageError(lines.join("\n"));
  }
  const { base, set, ...own } = parsed.data;
  const fail = (key: string, message: string): never => {
    throw new UsageError(`${shown}:${source.lineOf([key])}: ${key}: ${message}`);
  };
  for (const cause of own.causes) {
    if (Object.hasOwn(causes, cause)) continue;
    const near = nearest(cause, Object.keys(causes));
    fail("causes", `there is no cause ${cause}${near === undefined ? "" : `; did you mean ${near}?`}`);
  }
  if (own.kind === "fault" && own.causes.length === 0) fail("kind", "a fault names at least one cause");
  const plain = Object.keys(set).length === 0;
  if (own.kind === "fault" && plain) fail("kind", "a fault sets something that its base does not");
  if (own.kind === "healthy" && (own.onset > 0 || own.recoverable || own.causes.length > 0))
    fail("kind", "a healthy case has no onset, no causes and nothing to recover from");
  const path = baseFile(suite, base);
  if (path === null) return fail("base", `there is no bases/${base}.yaml, in this suite or the shipped one`);
  const healthy = configIn(`extends: ${JSON.stringify(path)}\n`, { file, shown });
  const text = JSON.stringify({ ...set, extends: path });
  const config = plain ? healthy : configIn(text, { file, shown });
  const { iterations } = healthy.ppo!;
  if (own.onset >= iterations)
    fail("onset", `the run has ${iterations} iterations, and the fault begins at ${own.onset}`);
  if (config.faults.length > 0) fail("set", "strangers have no injected faults: use settings, or a reward function");
  if (own.onset > 0) checkOnset(healthy, config, (message) => fail("onset", message));
  return { name, base, healthy, config, plain, ...own };
}

/** A fault that begins in a run's middle cannot change what the run is made of. */
function checkOnset(healthy: Config, config: Config, fail: (message: string) => void): void {
  for (const key of ["sft", "reward", "model", "tokenizer", "seed", "demo", "lora"] as const)
    if (JSON.stringify(healthy[key]) !== JSON.stringify(config[key]))
      fail(`${key} cannot change in the middle of a run: leave the onset out`);
  for (const key of ["iterations", "algorithm", "policy", "reference", "critic", "criticKind"] as const)
    if (healthy.ppo![key] !== config.ppo![key])
      fail(`ppo.${key} cannot change in the middle of a run: leave the onset out`);
}

function baseFile(suite: string, name: string): string | null {
  const places = [suite, shipped].map((folder) => join(folder, "bases", `${name}.yaml`));
  return places.find((place) => existsSync(place)) ?? null;
}

/** A checked configuration with PPO whose paths are relative to the case's folder. */
function configIn(text: string, { file, shown }: { readonly file: string; readonly shown: string }): Config {
  const from = join(dirname(file), "configuration");
  const placed = (message: string) => `${shown}: ${message.replaceAll(/^\S*configuration:\d+: /gm, "")}`;
  let config: Config;
  try {
    config = parseConfig(text, from).config;
  } catch (error) {
    throw new UsageError(placed(messageOf(error)));
  }
  if (!config.ppo) throw new UsageError(`${shown}: the configuration has no section ppo`);
  const { errors } = missingPaths(config, null);
  if (errors.length > 0) throw new UsageError(errors.map(({ message }) => `${shown}: ${message}`).join("\n"));
  return config;
}
