/** How a run's answers can be judged, given its rows. */
import { existsSync } from "node:fs";
import { checkFunction } from "../../../reward/index.ts";
import { UsageError } from "../../../util/errors.ts";
import { fromHome } from "../../../util/platform.ts";
import type { Choice } from "./ask.ts";
import { type RewardChoice, rowsFor } from "./init-config.ts";
import type { UnderstoodRows } from "./understood-rows.ts";

/** The judges that the rows themselves provide, the best first. */
export function rewardsFor(rows: readonly UnderstoodRows[]): Choice<RewardChoice>[] {
  const prompts = rowsFor(rows, "prompts");
  if (prompts === undefined) return [];
  const references = prompts.references;
  return [
    ...(rows.some(({ use }) => use === "preferences")
      ? [{ name: "model", says: "a reward model that learns from your pairs", value: "model" as const }]
      : []),
    ...(references === "numbers"
      ? [{ name: "last_number", says: "the answer's number against that of the row", value: "last_number" as const }]
      : []),
    ...(references === "answers" || references === "numbers"
      ? [{ name: "exact", says: "1 if the answer equals the row's", value: "exact" as const }]
      : []),
  ];
}

/**
 * The judge that a text names. Throws UsageError for one that these rows do not provide and for a file that does not exist, RewardError for a file
 * without a function.
 */
export async function rewardOf(text: string, rows: readonly UnderstoodRows[]): Promise<RewardChoice> {
  if (text === "none") return null;
  if (rowsFor(rows, "prompts") === undefined)
    throw new UsageError(
      "these rows have no prompts for PPO",
      "Give rows with prompts too, or train without: --reward none.",
    );
  if (text === "model" || text === "exact" || text === "last_number") {
    if (text === "model" && !rows.some(({ use }) => use === "preferences"))
      throw new UsageError(
        "a reward model learns from pairs, and these rows have none",
        "Give a file with chosen and rejected answers.",
      );
    if (text !== "model" && rowsFor(rows, "prompts")!.references === "none")
      throw new UsageError(
        `${text} compares with the rows' references, and these rows have none`,
        "Name their column: --field reference=COLUMN.",
      );
    return text;
  }
  const path = fromHome(text);
  if (!existsSync(path))
    throw new UsageError(
      `there is no file ${path}`,
      "Name a TypeScript or JavaScript file whose default export scores an answer; examples/rewards/ has two.",
    );
  // The rows are not encoded yet: it is only loaded.
  await checkFunction({ path, timeoutMs: 30_000, retries: 0 }, []);
  return { path };
}
