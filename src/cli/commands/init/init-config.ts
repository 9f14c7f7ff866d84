/** The commented configuration that `ballast init` writes from its answers. */

import { existsSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { parseConfig } from "../../../config/index.ts";
import { parametersInWords } from "../../../control/doctor/index.ts";
import type { Survey } from "../../../data/index.ts";
import { hubReferenceOf, hubReferenceText, isHubReference } from "../../../hub/index.ts";
import { configJsonSchema } from "../../../settings/json-schema.ts";
import { writeDurably } from "../../../util/durable.ts";
import { powerOfTwo, startRates, stepsFor } from "./start-settings.ts";
import type { UnderstoodRows } from "./understood-rows.ts";

type Lengths = Survey["lengths"][number];

/** How answers are judged: a learned model, the row's reference, the user's own function; null trains without PPO. */
export type RewardChoice = "model" | "exact" | "last_number" | { readonly path: string } | null;

export interface Answers {
  readonly objective: string;
  readonly name: string;
  readonly template: string;
  /** The model's folder with what it holds; null for a small one from scratch. */
  readonly model: { readonly folder: string; readonly parameters: number; readonly context: number } | null;
  readonly rows: readonly UnderstoodRows[];
  readonly reward: RewardChoice;
  /** Whether the models are computed with by PyTorch. */
  readonly torch: boolean;
}

/** What a template sets that the file may have to change. */
export interface TemplateFacts {
  readonly learningRate: number;
  readonly lora: boolean;
  readonly maxNewTokens: number;
}

/** A model from scratch: the help desk's size (examples/helpdesk/pipeline.yaml). */
const scratch = { layers: 4, width: 128, heads: 4, parameters: 0.8e6 };
const schemaFile = fileURLToPath(new URL("../../../../ballast.schema.json", import.meta.url));

/** The text of the file `out`, whose paths are relative to its folder. */
export function configText(
  answers: Answers,
  { out, template }: { readonly out: string; readonly template: TemplateFacts },
): string {
  const { objective, name, model, rows, reward } = answers;
  const pathIn = (path: string) => {
    const onHub = isHubReference(path) ? null : hubReferenceOf(path);
    if (onHub !== null) return hubReferenceText(onHub);
    return isHubReference(path) ? path : relativeTo(dirname(resolve(out)), path);
  };
  const parameters = model?.parameters ?? scratch.parameters;
  const rates = startRates({ parameters, lora: template.lora });
  const source = (one: UnderstoodRows, use: "demonstrations" | "preferences" | "prompts") => {
    const paths = one.paths.map(pathIn);
    const fields = one.fields[use]!;
    return [
      `path: ${paths.length === 1 ? inline(paths[0]) : inline(paths)}`,
      ...(Object.keys(fields).length > 0 ? [`fields: ${inline(fields)} # Ballast's name: the file's column`] : []),
    ];
  };
  const sft = rowsFor(rows, "demonstrations");
  const pairs = reward === "model" ? rowsFor(rows, "preferences") : undefined;
  const asked = reward === null ? undefined : rowsFor(rows, "prompts");
  const room = model?.context ?? scratchContext(rows);
  const lines = [
    `# yaml-language-server: $schema=${schemaPath(dirname(resolve(out)))}`,
    `# Written by ballast init. ballast config explain KEY says what a key means; docs/config.md lists all of them.`,
    ...(asked
      ? []
      : [
          "# Without PPO: there is nothing yet that judges answers. ballast init again adds it, with pairs or with a function.",
        ]),
    "",
    `objective: ${inline(objective)}`,
    `name: ${inline(name)} # runs are called ${name}-1, ${name}-2 and so on`,
    "seed: 1",
    ...(asked
      ? [`extends: ${answers.template} # its settings and their sources: templates/${answers.template}.yaml`]
      : []),
    ...(answers.torch && answers.template !== "gpu24"
      ? ["engine: torch # ballast engine setup torch; docs/engines.md"]
      : []),
    "",
    ...(model
      ? ["model:", `  path: ${inline(pathIn(model.folder))} # ${parametersInWords(parameters)} parameters`]
      : [
          "model: # from scratch, the help desk's size; a folder of a model instead: path: FOLDER",
          ...[`  layers: ${scratch.layers}`, `  width: ${scratch.width}`, `  heads: ${scratch.heads}`],
          `  context: ${room} # longest prompt and answer together, in tokens`,
          "",
          "tokenizer:",
          "  kind: word",
        ]),
    ...(sft
      ? [
          "",
          `sft: # first learn from the ${sft.use === "preferences" ? "preferred answers" : "answers"} of ${sft.survey.rows} rows`,
          "  data:",
          ...indented(source(sft, "demonstrations"), 4),
          ...stageLines(sft.survey.rows),
          `  learningRate: ${exponent(rates.sft)} # between the help desk's 3e-3 and 9.65e-6 at 1.3 billion (Ouyang et al. 2022)${template.lora ? ", times 10 for an adapter" : ""}`,
        ]
      : []),
    ...(pairs
      ? [
          "",
          `reward: # a model of which answer is the better one, from ${pairs.survey.rows} pairs`,
          "  data:",
          ...indented(source(pairs, "preferences"), 4),
          ...stageLines(pairs.survey.rows),
          `  learningRate: ${exponent(rates.reward)} # between the help desk's 1e-3 and 9e-6 at 6 billion (Ouyang et al. 2022)${template.lora ? ", times 10 for an adapter" : ""}`,
        ]
      : []),
    ...(asked ? ppoLines({ answers, asked, pathIn, source: source(asked, "prompts"), rates, template, room }) : []),
  ];
  return `${lines.join("\n")}\n`;
}

function ppoLines({
  answers: { reward },
  asked,
  pathIn,
  source,
  rates,
  template,
  room,
}: {
  readonly answers: Answers;
  readonly asked: UnderstoodRows;
  readonly pathIn: (path: string) => string;
  readonly source: readonly string[];
  readonly rates: { readonly ppo: number };
  readonly template: TemplateFacts;
  readonly room: number;
}): string[] {
  const longest = answerLength(asked, room) ?? template.maxNewTokens;
  const rateFits = template.learningRate >= rates.ppo / 3 && template.learningRate <= rates.ppo * 3;
  return [
    "",
    "ppo:",
    "  prompts: # a tenth of them is held out: half to watch the run, half for the evaluation (ppo.evaluationShare)",
    ...indented(source, 4),
    "  rewards:",
    ...indented(rewardLines(reward, pathIn), 4),
    `  maxNewTokens: ${longest} # longest answer, in tokens`,
    ...(rateFits
      ? []
      : [
          `  learningRate: ${exponent(rates.ppo)} # the middle of the band for this size (docs/doctor.md); the template's ${exponent(template.learningRate)} is for a different size`,
        ]),
    ...(asked.references === "texts" && reward !== "exact"
      ? ["  # gold: a second judgement that never trains, to see whether the reward is gamed (docs/config.md)"]
      : []),
  ];
}

function rewardLines(reward: RewardChoice, pathIn: (path: string) => string): string[] {
  if (reward === "model") return ["- kind: model # the reward model of the section above"];
  if (reward === "exact") return ["- kind: exact # 1 if the answer equals the row's reference"];
  if (reward === "last_number")
    return ["- kind: last_number # 1 if the answer's number is that of the row's reference"];
  return [`- kind: function # your own`, `  path: ${inline(pathIn(reward!.path))}`];
}

function stageLines(rows: number): string[] {
  const { batchSize, steps } = stepsFor(rows);
  return [
    `  batchSize: ${batchSize}`,
    `  steps: ${steps} # ${Math.round((steps * batchSize) / rows)} passes over the rows`,
  ];
}

/** The rows that serve a use: those that are meant for it, else the first that can. */
export function rowsFor(
  rows: readonly UnderstoodRows[],
  use: "demonstrations" | "preferences" | "prompts",
): UnderstoodRows | undefined {
  return rows.find((one) => one.use === use) ?? rows.find((one) => one.fields[use] !== null);
}

/** Tokens that an answer may take with the one that ends it, from the rows' own answers; undefined if they have none. */
function answerLength({ survey }: UnderstoodRows, room: number): number | undefined {
  const answers = survey.lengths.filter(({ what }) => what !== "prompt");
  if (answers.length === 0) return undefined;
  return powerOfTwo(Math.max(...answers.map(({ p95 }) => p95)) + 1, {
    low: 8,
    high: Math.min(512, Math.floor(room / 2)),
  });
}

/** A context that holds 95% of the rows, counted as the tokenizer of words does, and what the chat template adds. */
function scratchContext(rows: readonly UnderstoodRows[]): number {
  const p95 = (lengths: readonly Lengths[], which: (what: Lengths["what"]) => boolean) =>
    Math.max(0, ...lengths.filter(({ what }) => which(what)).map(({ p95 }) => p95));
  const longest = rows.map(
    ({ survey: { lengths } }) => p95(lengths, (what) => what === "prompt") + p95(lengths, (what) => what !== "prompt"),
  );
  return powerOfTwo(Math.max(...longest) + 16, { low: 64, high: 512 });
}

/** What a template sets, found by extending it. */
export function templateFacts(template: string): TemplateFacts {
  const text = `extends: ${template}\nobjective: prefer it\nmodel: {path: .}\nppo: {prompts: {path: .}, rewards: [{kind: exact}]}\n`;
  const { ppo, lora } = parseConfig(text, "template.yaml").config;
  return { learningRate: ppo!.learningRate, lora: lora !== undefined, maxNewTokens: ppo!.maxNewTokens };
}

/** The package's file for editors; a checkout does not have it until it is built. */
function schemaPath(folder: string): string {
  if (!existsSync(schemaFile)) writeDurably(schemaFile, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  const path = relative(folder, schemaFile);
  return (path.startsWith("..") ? schemaFile : path).replaceAll(sep, "/");
}

/** A path as it is written in a file of `folder`, with forward slashes: relative, unless it was given whole and lies elsewhere. */
function relativeTo(folder: string, path: string): string {
  const own = relative(folder, resolve(path)) || ".";
  return (isAbsolute(path) && own.startsWith("..") ? path : own).replaceAll(sep, "/");
}

function indented(lines: readonly string[], spaces: number): string[] {
  return lines.map((line) => `${" ".repeat(spaces)}${line}`);
}

/** A value as YAML on one line. */
function inline(value: unknown): string {
  return stringify(value, { lineWidth: 0, collectionStyle: "flow", flowCollectionPadding: false }).trim();
}

function exponent(rate: number): string {
  return rate.toExponential().replace(/^(\d)e/, "$1.0e");
}
