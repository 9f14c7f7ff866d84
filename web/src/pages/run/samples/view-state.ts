/** The address's parameters for the samples view. */
import { view } from "../../../router.ts";
import { type Colour, colours } from "./scale.ts";

export const filters = {
  unsafe: "tripped the safety filter",
  truncated: "truncated at the limit",
  lowest: "lowest scores",
  highest: "highest scores",
  pinned: "pinned",
} as const;
export type Filter = keyof typeof filters;

export const sorts = { "": "as stored", score: "score", kl: "KL" } as const;
export type Sort = keyof typeof sorts;

export interface SamplesState {
  /** The iteration; null follows the newest. */
  readonly it: number | null;
  readonly q: string;
  readonly filter: Filter | null;
  /** The seq of a sample: shows its prompt across iterations. */
  readonly prompt: number | null;
  readonly sort: Sort;
  /** Whether the highest come first. */
  readonly descending: boolean;
  readonly colour: Colour;
  readonly spaces: boolean;
  readonly reference: boolean;
}

export function samplesState(): SamplesState {
  const { it, q = "", filter, prompt, sort = "", colour, spaces, beside } = view.value.query;
  const word = sort.replace(/^-/, "");
  return {
    it: whole(it),
    q,
    filter: filter !== undefined && Object.hasOwn(filters, filter) ? (filter as Filter) : null,
    prompt: whole(prompt),
    sort: Object.hasOwn(sorts, word) ? (word as Sort) : "",
    descending: sort.startsWith("-"),
    colour: colours.find((one) => one === colour) ?? colours[0],
    spaces: spaces === "1",
    reference: beside === "reference",
  };
}

export const noSearch = { q: "", filter: "", prompt: "" } as const;

/** Whether the view searches the samples of all iterations. */
export function searches({ q, filter, prompt }: SamplesState): boolean {
  return q !== "" || filter !== null || prompt !== null;
}

function whole(word: string | undefined): number | null {
  return word !== undefined && /^\d{1,15}$/.test(word) ? Number(word) : null;
}
