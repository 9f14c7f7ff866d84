/** A harder evaluation of the run's own: its evaluation prompts with typos, in capitals, in other words, with distractions and with injected orders. */
import type { Config } from "../../../config/index.ts";
import { type PromptRow, perturb, perturbations } from "../../../data/index.ts";
import { openRows } from "../../../trainer/run-rows.ts";

/** Lines of JSONL under the column names of the run's prompts: every evaluation prompt once in each way. */
export function harderPrompts(config: Config): string {
  const { seed } = config.evaluation;
  const rows = openRows(config).evaluation().rows;
  return rows
    .flatMap((row) => perturbations.map((name) => ({ row: perturb(row, name, { seed }), kind: name })))
    .map(({ row, kind }) => `${JSON.stringify(columnsOf(row, kind, config))}\n`)
    .join("");
}

function columnsOf({ prompt, reference, columns }: PromptRow, kind: string, { ppo }: Config): object {
  const { prompt: asked = "prompt", messages, reference: answer = "reference" } = ppo!.prompts?.fields ?? {};
  const [only] = prompt;
  const text = prompt.length === 1 && only!.role === "user" ? only!.content : prompt;
  const { [asked]: _, ...rest } = columns ?? {};
  return {
    ...rest,
    ...(messages === undefined ? { [asked]: text } : { [messages]: prompt }),
    ...(reference !== null && { [answer]: reference }),
    kind,
  };
}
