/** The configuration of a run that the page begins: a file that extends a template or a file by what the user entered. */
import { relative, resolve } from "node:path";
import { stringify } from "yaml";
import { rebasePaths } from "../../../config/config-paths.ts";
import { templateNames } from "../../../config/extends-chain.ts";
import { applyOverrides, parseOverride } from "../../../config/overrides.ts";
import type { NewRunRequest } from "../../../types/new-run-page.ts";
import { UsageError } from "../../../util/errors.ts";

type Values = Record<string, unknown>;

/**
 * The keys and values, with paths relative to the current directory.
 * @throws UsageError for a setting that is not `key=value`, or without anything to extend
 */
export function newRunValues({ extends: base, name, texts, settings }: NewRunRequest): Values {
  if (base.trim() === "") throw new UsageError("there is nothing to begin with", "Choose a template, or name a file.");
  const named = { ...texts, name };
  let root: Values = {};
  for (const [key, text] of Object.entries(named)) {
    if (text.trim() === "") continue;
    // Rewards are a list, of which the page asks for one of the user's own.
    const value = key === "ppo.rewards" ? [{ kind: "function", path: text.trim() }] : text.trim();
    root = withValue(root, key.split("."), value);
  }
  const lines = settings.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  const overridden = applyOverrides(root, lines.map(parseOverride));
  const [error] = overridden.errors;
  if (error !== undefined) throw error;
  return { extends: base.trim(), ...overridden.root };
}

/** The file's text; its paths are relative to its folder. */
export function newRunYaml(values: Values, folder: string): string {
  const { extends: base, ...own } = values;
  const isTemplate = templateNames().includes(String(base));
  const from = isTemplate ? base : relative(resolve(folder), resolve(String(base)));
  return stringify({ extends: from, ...rebasePaths(own, { from: ".", to: folder }) });
}

function withValue(root: Values, [key, ...rest]: readonly string[], value: unknown): Values {
  if (rest.length === 0) return { ...root, [key!]: value };
  const below = root[key!];
  return {
    ...root,
    [key!]: withValue(typeof below === "object" && below !== null ? (below as Values) : {}, rest, value),
  };
}
