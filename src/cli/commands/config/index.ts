/** `ballast config`: explains a setting, and prints the schema that editors check configurations with. */
import { algorithmNames, algorithmSettings, lackedSettings } from "../../../settings/algorithm-table.ts";
import { engineKindNames, tinkerSettings, torchSettings } from "../../../settings/config-schema.ts";
import { type DocumentedField, documentedFields } from "../../../settings/field-docs.ts";
import { configJsonSchema, plain } from "../../../settings/json-schema.ts";
import { liveSettings } from "../../../settings/live-settings.ts";
import { type Field, fields } from "../../../settings/schema-fields.ts";
import { stages } from "../../../types/records.ts";
import { writeDurably } from "../../../util/durable.ts";
import { UsageError } from "../../../util/errors.ts";
import { nearest } from "../../../util/nearest.ts";
import { jsonLine } from "../../json-line.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";

export async function printSchema({
  out,
  terminal,
}: {
  readonly out?: string;
  readonly terminal: Terminal;
}): Promise<number> {
  const text = JSON.stringify(configJsonSchema(), null, 2);
  if (out === undefined) terminal.out(text);
  else writeDurably(out, `${text}\n`);
  return 0;
}

export interface ExplainOptions {
  /** A dotted key, or a section, whose keys are then listed. */
  readonly key: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** What is known about one key. */
interface Explanation {
  readonly key: string;
  readonly expects: string;
  readonly required: boolean;
  readonly default: string;
  /** Names of the algorithms that use it; null if it is not a setting of the online stage. */
  readonly algorithms: readonly string[] | null;
  /** Algorithms that do not use it, with the reason. */
  readonly notUsed: Readonly<Record<string, string>>;
  /** Defaults of algorithms that have their own. */
  readonly algorithmDefaults: Readonly<Record<string, unknown>>;
  readonly engines: readonly string[];
  /** Whether it may change while its stage runs. */
  readonly live: boolean;
  readonly meaning: string;
}

export async function explainSetting({ key, json = false, terminal }: ExplainOptions): Promise<number> {
  const found = fieldsNamed(key);
  const documented = new Map(documentedFields());
  const explained = found.map((field) => explanationOf(field, documented.get(field.path)!));
  if (json) for (const one of explained) terminal.out(jsonLine(one));
  else if (explained.length === 1) for (const line of lines(explained[0]!, terminal)) terminal.out(line);
  else {
    const columns = [{ title: "key" }, { title: "expects", shrinksTo: 16 }, { title: "default", shrinksTo: 10 }];
    const rows = explained.map((one) => [one.key, one.expects, one.default]);
    for (const line of table({ columns, rows, width: terminal.outWidth(), heading: terminal.outColours.bold }))
      terminal.out(line);
    terminal.out(`ballast config explain ${explained[0]!.key} says more about one of them.`);
  }
  return 0;
}

/** The field of this key, or those of this section. List entries may be counted, as in overrides: ppo.rewards.0.max. */
function fieldsNamed(text: string): Field[] {
  const all = fields();
  const key = text.trim().replaceAll(/\.(\d+)(?=\.|$)/g, "[]");
  const own = all.filter(({ path }) => path === key);
  if (own.length > 0) return own;
  const below = all.filter(({ path }) => path.startsWith(`${key}.`) || path.startsWith(`${key}[`));
  if (below.length > 0) return below;
  // A key that only some kinds of component have.
  const [, list, name] = /^(.+?)(?:\[\])?\.([^.]+)$/.exec(key) ?? [];
  const ofKinds = all.filter(({ path }) => path.replace(/\[[^\]]+\]/, "") === `${list}.${name}` && path.includes("["));
  if (ofKinds.length > 0) return ofKinds;
  const last = all.filter(({ path }) => path.split(".").includes(key));
  if (last.length > 0) return last;
  const paths = all.map(({ path }) => path);
  const near = nearest(key, paths) ?? paths.find((path) => nearest(key, [path.split(".").at(-1)!]) !== undefined);
  throw new UsageError(
    `there is no setting ${text}${near === undefined ? "" : `; did you mean ${near}?`}`,
    "docs/config.md lists every key; ballast config explain ppo lists those of a section.",
  );
}

function explanationOf({ path, expected, required, defaultValue }: Field, documented: DocumentedField): Explanation {
  const [section, ...rest] = path.replaceAll(/\[[^\]]*\]/g, "").split(".");
  const name = rest.join(".");
  const lacking = algorithmNames.flatMap((algorithm) =>
    lackedSettings(algorithm).flatMap(({ key, why }) => (key === rest[0] ? [[algorithm, why] as const] : [])),
  );
  const lackedBy = section === "ppo" ? Object.fromEntries(lacking) : {};
  const own = algorithmNames.flatMap((algorithm) => {
    const defaults: Readonly<Record<string, unknown>> = algorithmSettings[algorithm].defaults;
    return section === "ppo" && name in defaults ? [[algorithm, defaults[name]] as const] : [];
  });
  const only = (settings: readonly string[]) => section === "engine" && settings.includes(rest.at(-1) ?? "");
  return {
    key: path,
    expects: expected,
    required,
    default: defaultValue === undefined ? documented.defaultValue : JSON.stringify(defaultValue),
    algorithms: section === "ppo" ? algorithmNames.filter((algorithm) => !(algorithm in lackedBy)) : null,
    notUsed: lackedBy,
    algorithmDefaults: Object.fromEntries(own),
    engines: only(torchSettings) ? ["torch"] : only(tinkerSettings) ? ["tinker"] : engineKindNames,
    live: stages.some((stage) => stage === section && liveSettings[stage].includes(name)),
    meaning: plain(documented.meaning),
  };
}

function lines(one: Explanation, { outColours: c, outWidth }: Terminal): string[] {
  const label = 14;
  const row = (title: string, text: string) =>
    wrap(text, Math.max(20, outWidth() - label)).map(
      (line, i) => `${(i === 0 ? `  ${title}` : "").padEnd(label)}${line}`,
    );
  const own = Object.entries(one.algorithmDefaults).map(
    ([algorithm, value]) => `${algorithm} ${JSON.stringify(value)}`,
  );
  const without = Object.entries(one.notUsed).map(([algorithm, why]) => `${algorithm} ${why}`);
  return [
    c.bold(one.key),
    ...row("meaning", one.meaning),
    ...row("expects", one.expects),
    ...row(
      "default",
      one.required ? "none: it must be given" : `${one.default}${own.length > 0 ? `; ${own.join(", ")}` : ""}`,
    ),
    ...(one.algorithms === null
      ? []
      : row("algorithms", `${one.algorithms.join(", ")}${without.length > 0 ? ` (${without.join("; ")})` : ""}`)),
    ...row("engines", one.engines.join(", ")),
    ...(one.live ? row("changes", `while the stage runs: ballast tell RUN set ${one.key}=VALUE`) : []),
  ];
}
