/** The texts in a row: what a vocabulary is made from. */
import type { PreferenceRow, PromptRow, SftRow } from "./row-types.ts";

/** The contents of the prompt's messages, then the answers. */
export function textsOfRow(row: SftRow | PreferenceRow | PromptRow): string[] {
  const prompt = row.prompt.map(({ content }) => content);
  if ("chosen" in row) return [...prompt, row.chosen, row.rejected];
  return "completion" in row ? [...prompt, row.completion] : prompt;
}
