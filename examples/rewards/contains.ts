/**
 * A reward of one's own: 1 if the response holds the word that the row's column `word` asks for.
 *
 *     rewards: [{ kind: function, path: contains.ts }]     # {"prompt": "name a colour", "word": "red"}
 */
interface Asked {
  readonly response: string;
  /** Each column of the row comes under its own name. */
  readonly word?: string;
}

export default function contains({ response, word = "" }: Asked): number {
  return Number(word !== "" && response.toLowerCase().includes(word.toLowerCase()));
}
