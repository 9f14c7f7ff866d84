/** Titles of an evaluation's figures, in the order of its report. */
const titles: Readonly<Record<string, string>> = {
  sums: "sums right",
  asksBack: "asked back",
  refuses: "refused",
  brief: "brief",
  reward: "reward",
  klK3Token: "KL k3, nats/token",
  klK1Sequence: "KL k1, nats/sequence",
  length: "length, tokens",
  entropy: "entropy, nats",
};

/** The title of a figure; its name if it has none. */
export function figureTitle(name: string): string {
  return Object.hasOwn(titles, name) ? titles[name]! : name;
}

/** Figures in the report's order; those without a title come last. */
export function figureOrder(names: Iterable<string>): string[] {
  const known = Object.keys(titles);
  const place = (name: string) => (known.includes(name) ? known.indexOf(name) : known.length);
  return [...new Set(names)].sort((a, b) => place(a) - place(b));
}
