/** `ballast data`: what files of rows, or those of a configuration, are understood as, before anything is trained on them. */
import { existsSync, statSync } from "node:fs";
import { loadConfig } from "../../../config/index.ts";
import { contextIn } from "../../../config/load-config.ts";
import { guessUse, type PreferenceSource, type Survey, survey } from "../../../data/index.ts";
import { onDisk } from "../../../hub/index.ts";
import type { Config } from "../../../settings/config-schema.ts";
import { loadTokenizer, type Tokenizer } from "../../../text/index.ts";
import { openRows } from "../../../trainer/run-rows.ts";
import { makeTokenizer } from "../../../trainer/run-tokenizer.ts";
import { writeDurably } from "../../../util/durable.ts";
import { DataError, UsageError } from "../../../util/errors.ts";
import { jsonLine } from "../../json-line.ts";
import type { Terminal } from "../../terminal.ts";
import { checkFiles, fieldNames, withOption } from "./field-option.ts";
import { surveyPage } from "./survey-page.ts";
import { type NamedSurvey, surveyLines } from "./survey-text.ts";

export interface DataOptions {
  /** Files and patterns, or one configuration. */
  readonly files: readonly string[];
  readonly as?: Survey["use"];
  /** `prompt=question`: the file's names by Ballast's. */
  readonly fields?: readonly string[];
  readonly pairsFrom?: string;
  /** A folder with a tokenizer, and the context of its model. */
  readonly model?: string;
  readonly context?: number;
  readonly evaluation?: readonly string[];
  readonly show: number;
  readonly html?: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function data(options: DataOptions): Promise<number> {
  const { files, html, json = false, terminal } = options;
  const [first] = files;
  const isConfig = files.length === 1 && /\.ya?ml$/i.test(first!);
  const surveys = isConfig ? ofConfig(first!, options) : [ofFiles(options)];
  if (html !== undefined) writeDurably(html, surveyPage(surveys));
  if (json) terminal.out(jsonLine({ surveys }));
  else
    for (const [i, one] of surveys.entries()) {
      if (i > 0) terminal.out("");
      for (const line of surveyLines(one, terminal)) terminal.out(line);
    }
  if (html !== undefined) terminal.note(`the same as a page: ${html}`);
  return surveys.some(({ bad }) => bad !== null) ? 1 : 0;
}

function ofFiles(options: DataOptions): NamedSurvey {
  const { evaluation, show, pairsFrom } = options;
  checkFiles(options.files);
  const files = options.files.map(onDisk);
  const model = options.model === undefined ? undefined : onDisk(options.model);
  const fields = fieldNames(options.fields);
  const source: PreferenceSource = { path: files, fields, pairsFrom };
  const use = options.as ?? (pairsFrom === undefined ? withOption(() => guessUse(source)) : "preferences");
  if (model !== undefined && !(existsSync(model) && statSync(model).isDirectory()))
    throw new UsageError(`there is no folder ${model}`, "--model names a folder with a tokenizer.json");
  const tokenizer = model === undefined ? undefined : loadTokenizer(model);
  for (const said of tokenizer?.notes ?? []) options.terminal.note(said);
  const context = options.context ?? (model === undefined ? undefined : (contextIn(model) ?? undefined));
  if (context !== undefined && tokenizer === undefined)
    throw new UsageError(
      "--context is in tokens, and no tokenizer is given",
      "add --model, a folder with a tokenizer.json",
    );
  const measured = { use, source, tokenizer, context, show, turns: "last" } as const;
  return {
    name: options.files.join(", "),
    ...survey({ ...measured, ...(evaluation && { evaluation: { path: evaluation } }) }),
  };
}

function ofConfig(file: string, { show }: DataOptions): NamedSurvey[] {
  const { config } = loadConfig(file);
  const { sft, reward, ppo, evaluation, control } = config;
  const tokenizer = tokenizerOf(config);
  const longest = config.model.path === undefined ? config.model.context : contextIn(config.model.path);
  const context = tokenizer && (longest ?? undefined);
  const maxNewTokens = ppo?.maxNewTokens ?? 0;
  const shared = { tokenizer, context, show };
  const asked = { ...shared, use: "prompts", maxNewTokens, longPrompts: ppo?.longPrompts ?? "truncate" } as const;
  const of = (
    name: string,
    source: PreferenceSource | undefined,
    more: Omit<Parameters<typeof survey>[0], "source">,
  ) => (source ? [{ name, ...survey({ source, ...more }) }] : []);
  const found = [
    ...(sft
      ? of("sft.data", sft.data, {
          ...{ ...shared, use: "demonstrations", turns: sft.turns, longPrompts: sft.longPrompts },
          evaluation: sft.evaluation ?? evaluation.prompts,
        })
      : []),
    ...(reward
      ? of("reward.data", reward.data, {
          ...{ ...shared, use: "preferences", longPrompts: reward.longPrompts, evaluation: reward.evaluation },
        })
      : []),
    ...of("ppo.prompts", ppo?.prompts, { ...asked, evaluation: evaluation.prompts }),
    ...of("evaluation.prompts", evaluation.prompts, asked),
    ...of("control.monitor.prompts", control.monitor.prompts, { ...asked, evaluation: evaluation.prompts }),
  ];
  if (found.length > 0) return found;
  throw new UsageError(
    `${file} names no files of rows`,
    "its rows are those of the section demo; name a file: ballast data FILE",
  );
}

/** The run's tokenizer; undefined for one that is made from rows which cannot be read: lengths are in words then. */
function tokenizerOf(config: Config): Tokenizer | undefined {
  try {
    return makeTokenizer(config, openRows(config).texts);
  } catch (error) {
    if ((config.tokenizer.kind === "word" || config.tokenizer.kind === "bpe") && error instanceof DataError)
      return undefined;
    throw error;
  }
}
