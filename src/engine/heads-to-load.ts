/** The heads of a model that is loaded from a folder. */
import { CheckpointError } from "../util/errors.ts";
import type { HeadKind } from "./engine.ts";

/** The wanted heads, or the folder's own. Throws CheckpointError if a language head is wanted and the folder has none: it cannot be made up. */
export function headsToLoad(
  folder: string,
  { wanted, found }: { readonly wanted: readonly HeadKind[] | undefined; readonly found: readonly HeadKind[] },
): readonly HeadKind[] {
  const heads = wanted ?? found;
  if (heads.includes("lm") && !found.includes("lm"))
    throw new CheckpointError(
      `${folder} holds a reward model or critic: it has a score and no language head, which is needed here`,
      "Give the folder of a language model, such as runs/NAME-1/sft/final or runs/NAME-1/ppo/final.",
    );
  return heads;
}
