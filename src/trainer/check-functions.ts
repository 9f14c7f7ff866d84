/** Tries the user's functions of a run before anything trains: one that cannot be used must not cost the stages before PPO. */
import { checkFunction, type FunctionInput, inputOf } from "../reward/index.ts";
import type { Config } from "../settings/config-schema.ts";
import { promptText } from "./rollout.ts";
import type { RunRows } from "./run-rows.ts";

/** Rows for which each function is called: it may be slow, or cost money. */
const tried = 4;
/** The answer to a prompt if the run has no demonstrations: an untrained policy gives any text. */
const anyAnswer = "yes";

/**
 * Loads every function of rewards and gold check, and calls each for a few of the run's prompts with demonstrated answers. Errors: RewardError for a
 * file that cannot be loaded or exports no function, and for a function that fails, returns no finite number, or returns steps to be normalised; RowsError for rows that cannot be read.
 */
export async function checkFunctions(
  { ppo, sft }: Pick<Config, "ppo" | "sft">,
  rows: Pick<RunRows, "prompts" | "sft">,
): Promise<void> {
  const checks = ppo ? [...ppo.rewards, ...(ppo.gold ? [ppo.gold] : [])] : [];
  const functions = checks.filter((check) => check.kind === "function");
  if (functions.length === 0) return;
  const inputs = inputsOf(rows, { demonstrated: sft !== undefined });
  for (const { path, timeoutMs, retries, ...check } of functions) {
    const normalise = "normalise" in check && check.normalise;
    await checkFunction({ path, timeoutMs, retries, normalise }, inputs);
  }
}

/** The first prompts: with the demonstrated answer to the same prompt, else to any. */
function inputsOf(
  rows: Pick<RunRows, "prompts" | "sft">,
  { demonstrated }: { readonly demonstrated: boolean },
): FunctionInput[] {
  const prompts = rows.prompts().slice(0, tried);
  const demonstrations = demonstrated ? rows.sft().train : [];
  const answers = new Map(prompts.map((row) => [promptText(row), null as string | null]));
  for (const row of demonstrations) {
    const text = promptText(row);
    if (answers.get(text) === null) answers.set(text, row.completion);
  }
  return prompts.map((row, i) => {
    const { prompt: messages, reference, columns, kind } = row;
    const prompt = promptText(row);
    const other = demonstrations[i % Math.max(1, demonstrations.length)]?.completion;
    return inputOf({
      ...{ prompt, messages, reference, response: answers.get(prompt) ?? other ?? anyAnswer },
      columns: columns ?? (kind === undefined ? {} : { kind }),
    });
  });
}
