/**
 * The shapes of rows as well-known data sets publish them, each by the columns that give it away, and how it reads under Ballast's names. Labels
 * decide which answer is the better one; a column of ids is never a text.
 */
import type { Fail } from "./conversation.ts";

export type Columns = Readonly<Record<string, unknown>>;
/** The file's column names by Ballast's. */
export type FieldNames = Readonly<Record<string, string>>;

/** What a row of a shape is in Ballast's names. */
export type Reading =
  | {
      /** The file's names by Ballast's. */
      readonly fields: FieldNames;
      /** Columns whose content is put together from others, under the names in `fields`. */
      readonly made?: Columns;
    }
  /** Why the row is left out, as its data set means it: it says that neither answer is better. */
  | { readonly leftOut: string };

export type RowUse = "demonstrations" | "preferences" | "prompts";

export interface PublishedShape {
  /** The format, and a data set that has it. */
  readonly name: string;
  /** Columns that a row must have; no other shape has all of them. */
  readonly columns: readonly string[];
  readonly uses: readonly RowUse[];
  readonly read: (row: Columns, fail: Fail) => Reading;
  /** The prompt's column if only prompts are read, whatever the labels say. */
  readonly prompt?: string;
}

/** The first shape that fits counts. */
export const publishedShapes: readonly PublishedShape[] = [
  {
    name: "ShareGPT pairs (conversations, chosen, rejected)",
    columns: ["conversations", "chosen", "rejected"],
    uses: ["preferences", "prompts"],
    read: () => ({ fields: { prompt: "conversations" } }),
  },
  {
    name: "ShareGPT (conversations)",
    columns: ["conversations"],
    uses: ["demonstrations", "prompts"],
    read: (row) => ({
      fields: { messages: "conversations" },
      ...(isText(row.system) && { made: { conversations: withSystem(row.system, row.conversations) } }),
    }),
  },
  {
    name: "UltraFeedback (instruction, completions with overall_score)",
    columns: ["instruction", "completions"],
    uses: ["preferences", "prompts"],
    read: (row, fail) => bestAndWorst(row.completions, fail),
    prompt: "instruction",
  },
  {
    name: "Alpaca pairs (instruction, input, chosen, rejected)",
    columns: ["instruction", "chosen", "rejected"],
    uses: ["preferences", "prompts"],
    read: (row) => ({ fields: { prompt: "instruction" }, made: { instruction: joined(row.instruction, row.input) } }),
  },
  {
    name: "Alpaca (instruction, input, output)",
    columns: ["instruction", "output"],
    uses: ["demonstrations", "prompts"],
    read: (row) => ({
      fields: { prompt: "instruction", completion: "output" },
      made: { instruction: joined(row.instruction, row.input) },
    }),
  },
  {
    name: "Dolly (instruction, context, response)",
    columns: ["instruction", "context", "response"],
    uses: ["demonstrations", "prompts"],
    read: (row) => ({
      fields: { prompt: "instruction", completion: "response" },
      made: { instruction: joined(row.instruction, row.context) },
    }),
  },
  {
    name: "OpenOrca (system_prompt, question, response)",
    columns: ["system_prompt", "question", "response"],
    uses: ["demonstrations", "prompts"],
    read: (row) => ({
      fields: { prompt: "question", completion: "response" },
      ...(isText(row.system_prompt) && { made: { question: withSystem(row.system_prompt, row.question) } }),
    }),
  },
  {
    name: "Orca pairs (system, question, chosen, rejected)",
    columns: ["system", "question", "chosen", "rejected"],
    uses: ["preferences", "prompts"],
    read: (row) => ({
      fields: { prompt: "question" },
      ...(isText(row.system) && { made: { question: withSystem(row.system, row.question) } }),
    }),
  },
  {
    name: "SHP (history, human_ref_A, human_ref_B, labels)",
    columns: ["history", "human_ref_A", "human_ref_B", "labels"],
    uses: ["preferences", "prompts"],
    read: (row, fail) =>
      compared({
        ...{ label: "labels", value: row.labels, first: ["1"], second: ["0"], fail },
        fields: { prompt: "history" },
        answers: ["human_ref_A", "human_ref_B"],
      }),
    prompt: "history",
  },
  {
    name: "HelpSteer2 preferences (prompt, response_1, response_2, preference_strength)",
    columns: ["prompt", "response_1", "response_2", "preference_strength"],
    uses: ["preferences", "prompts"],
    read: (row, fail) =>
      compared({
        ...{ label: "preference_strength", value: row.preference_strength, ...strengths, fail },
        answers: ["response_1", "response_2"],
      }),
  },
  {
    name: "HelpSteer3 preferences (context, response1, response2, overall_preference)",
    columns: ["context", "response1", "response2", "overall_preference"],
    uses: ["preferences", "prompts"],
    read: (row, fail) =>
      compared({
        ...{ label: "overall_preference", value: row.overall_preference, ...strengths, fail },
        fields: { prompt: "context" },
        answers: ["response1", "response2"],
      }),
    prompt: "context",
  },
  {
    name: "PKU-SafeRLHF (prompt, response_0, response_1, better_response_id)",
    columns: ["prompt", "response_0", "response_1", "better_response_id"],
    uses: ["preferences", "prompts"],
    read: (row, fail) =>
      compared({
        ...{ label: "better_response_id", value: row.better_response_id, first: ["0"], second: ["1"], fail },
        answers: ["response_0", "response_1"],
      }),
  },
  {
    name: "Chatbot Arena (conversation_a, conversation_b, winner)",
    columns: ["conversation_a", "conversation_b", "winner"],
    uses: ["preferences"],
    read: (row, fail) =>
      compared({
        ...{ label: "winner", value: row.winner, first: ["model_a"], second: ["model_b"] },
        ...{ neither: ["tie", "tie (bothbad)"], fail },
        answers: ["conversation_a", "conversation_b"],
      }),
  },
  {
    name: "TL;DR comparisons (info, summaries, choice)",
    columns: ["info", "summaries", "choice"],
    uses: ["preferences"],
    read: (row, fail) => summaries(row, fail),
  },
  {
    name: "TL;DR (prompt, label)",
    columns: ["prompt", "label"],
    uses: ["demonstrations"],
    read: (row, fail) =>
      isText(row.label)
        ? { fields: { completion: "label" } }
        : fail(
            '"label" is not a text, and the row has no completion',
            "give the answer in a column completion",
            String(row.label),
          ),
  },
  {
    name: "prompt and response",
    columns: ["prompt", "response"],
    uses: ["demonstrations", "prompts"],
    read: () => ({ fields: { completion: "response" } }),
  },
];

/** The shape of a row for this use; undefined if it is none of the published ones. `null` counts as absent. */
export function shapeOf(row: Columns, use: RowUse): PublishedShape | undefined {
  return publishedShapes.find(
    ({ columns, uses }) => uses.includes(use) && columns.every((column) => (row[column] ?? null) !== null),
  );
}

/** Whether a column's name says that it holds ids, sources or marks, and no text of the conversation. */
export function isMark(column: string): boolean {
  return (
    /(^|[._-])(ids?([._-]\w)?|uuid|hash|sha\d*|md5|idx|index|url|date|time|timestamp)$/i.test(column) ||
    /^(id|index|source|dataset|origin|domain|language|lang|split|category|subset|models?|worker|batch|tags?)$/i.test(
      column,
    ) ||
    /(^|[._-])(model|score|rating|label|labels|rank)s?$/i.test(column)
  );
}

const strengths = { first: ["-3", "-2", "-1"], second: ["1", "2", "3"], neither: ["0"] };

/** Two answers of which a label names the better one. */
function compared({
  label,
  value,
  first,
  second,
  neither = [],
  answers: [a, b],
  fields = {},
  fail,
}: {
  readonly label: string;
  readonly value: unknown;
  /** Values of the label that prefer each answer, and that prefer neither. */
  readonly first: readonly string[];
  readonly second: readonly string[];
  readonly neither?: readonly string[];
  readonly answers: readonly [string, string];
  readonly fields?: FieldNames;
  readonly fail: Fail;
}): Reading {
  const said = String(value).trim();
  if (first.includes(said)) return { fields: { ...fields, chosen: a, rejected: b } };
  if (second.includes(said)) return { fields: { ...fields, chosen: b, rejected: a } };
  if (neither.includes(said)) return { leftOut: "that prefer neither answer" };
  return fail(
    `"${label}" does not say which answer is better`,
    `it is ${first.join(" or ")} for "${a}", ${second.join(" or ")} for "${b}"${neither.length > 0 ? `, ${neither.join(" or ")} for neither` : ""}`,
    said.slice(0, 40),
  );
}

/** UltraFeedback's best and worst completion by `overall_score`. */
function bestAndWorst(completions: unknown, fail: Fail): Reading {
  const list = (Array.isArray(completions) ? completions : []) as Columns[];
  const scored = list.map((one) => ({ text: one?.response, score: Number(one?.overall_score ?? Number.NaN) }));
  const wrong = scored.findIndex(({ text, score }) => !isText(text) || Number.isNaN(score));
  if (scored.length === 0 || wrong >= 0)
    fail(
      scored.length === 0
        ? '"completions" has no completions'
        : `completion ${wrong + 1} of "completions" lacks a response or an overall_score`,
      'a completion is {"response": "text", "overall_score": number, ...}',
    );
  const sorted = scored.toSorted((one, other) => other.score - one.score);
  const [best, worst] = [sorted[0]!, sorted.at(-1)!];
  if (best.score === worst.score) return { leftOut: "that prefer neither answer" };
  const made = { chosen: best.text, rejected: worst.text };
  return { fields: { prompt: "instruction", chosen: "chosen", rejected: "rejected" }, made };
}

/** The prompt that Stiennon et al. 2020 built from a post, and the summary that the label chose. */
function summaries({ info, summaries: list, choice }: Columns, fail: Fail): Reading {
  const { subreddit, title, post, article } = (info ?? {}) as Columns;
  const [a, b] = (Array.isArray(list) ? list : []) as Columns[];
  if (!isText(a?.text) || !isText(b?.text))
    return fail('"summaries" does not hold two texts', 'it is [{"text": "..."}, {"text": "..."}]');
  const text = isText(post) ? post : article;
  if (!isText(text)) return fail('"info" has neither a post nor an article', "give the text that is summarised");
  const head = [
    isText(subreddit) ? `SUBREDDIT: r/${subreddit}\n\n` : "",
    isText(title) ? `TITLE: ${title}\n\n` : "",
  ].join("");
  const prompt = `${head}${isText(post) ? "POST" : "ARTICLE"}: ${text}\n\nTL;DR:`;
  const picked = compared({
    ...{ label: "choice", value: choice, first: ["0"], second: ["1"], fail },
    answers: ["first summary", "second summary"],
  });
  if ("leftOut" in picked) return picked;
  return {
    fields: { ...picked.fields, prompt: "info" },
    made: { info: prompt, "first summary": spaced(a!.text), "second summary": spaced(b!.text) },
  };
}

/** A completion that follows `TL;DR:` directly begins with a space. */
function spaced(text: unknown): string {
  return String(text).startsWith(" ") ? String(text) : ` ${text}`;
}

/** An instruction with its input, if it has one, two lines below: Alpaca's format without its frame. */
function joined(instruction: unknown, input: unknown): unknown {
  return isText(instruction) && isText(input) ? `${instruction}\n\n${input}` : instruction;
}

function withSystem(system: unknown, rest: unknown): unknown {
  const messages = typeof rest === "string" ? [{ role: "user", content: rest }] : rest;
  return Array.isArray(messages) ? [{ role: "system", content: system }, ...messages] : rest;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}
