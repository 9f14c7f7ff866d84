/** How many settings distinguish runs, as a user would count them. Pure. */

export interface SettingDifference {
  readonly key: string;
  /** Values in the order of the runs. */
  readonly values: readonly unknown[];
}

export interface Differences {
  /** Settings that can affect what is learned or measured; keys of one list, or of one optional section, count as one. */
  readonly settings: readonly { readonly name: string; readonly rows: readonly SettingDifference[] }[];
  /** Settings that cannot: names, places, notifications, what is kept. */
  readonly ignored: readonly SettingDifference[];
}

/** Settings that cannot affect what is learned or measured. */
export const cannotMatter =
  /^(objective|name|workspace)$|^doctor\.|^control\.(notify|report)(\.|$)|\.(storedSamples|keep)$/;

export function countDifferences(rows: readonly SettingDifference[]): Differences {
  const ignored = rows.filter(({ key }) => cannotMatter.test(key));
  const settings = new Map<string, SettingDifference[]>();
  const keys = new Set(rows.map(({ key }) => key));
  for (const row of rows) {
    if (cannotMatter.test(row.key)) continue;
    const name = nameOf(row.key, keys);
    settings.set(name, [...(settings.get(name) ?? []), row]);
  }
  return { settings: [...settings].map(([name, own]) => ({ name, rows: shownOf(own) })), ignored };
}

/** Rows to show: a list that is empty in some runs has a row, which adds nothing to the rows of its entries. */
function shownOf(rows: readonly SettingDifference[]): readonly SettingDifference[] {
  const telling = rows.filter(({ values }) => values.some((value) => !/^(–|\[\]|\{\})$/.test(settingText(value))));
  return telling.length > 0 ? telling : rows;
}

/**
 * The name under which a key counts: `faults.0.at` and `faults.1.at` are `faults`; `ppo.slowCritic.every` is `ppo.slowCritic` if that is null in some
 * run.
 */
function nameOf(key: string, keys: ReadonlySet<string>): string {
  const words = key.split(".");
  for (let n = 1; n < words.length; n++) {
    const start = words.slice(0, n).join(".");
    if (/^\d+$/.test(words[n]!) || keys.has(start)) return start;
  }
  return key;
}

export interface Verdict {
  readonly says: string;
  readonly tone: "warn" | "quiet";
}

/** What the comparison can show: each run is compared with the first. `names` are the runs' names on the page. */
export function verdict(
  { settings }: Differences,
  names: readonly string[],
  /** How many runs each name stands for. */
  runs: readonly number[] = names.map(() => 1),
): Verdict {
  const [first = "", ...others] = names;
  const found = others.map((name, i) => ({
    name,
    settings: settings.filter(({ rows }) => rows.some(({ values }) => !same(values[0], values[i + 1]))),
  }));
  const confounded = found.filter((one) => one.settings.length > 1);
  const list = (own: Differences["settings"]) => shortened(own.map(({ name }) => name));
  const alone = found
    .filter((one) => one.settings.length === 1)
    .map((one) => `${one.name} differs only in ${list(one.settings)}`)
    .join(", ");
  if (confounded.length > 0) {
    const each = confounded.map(
      (one) => `${one.name} differs from ${first} in ${one.settings.length} settings (${list(one.settings)})`,
    );
    return {
      tone: "warn",
      says: `${each.join("; ")}: no single setting explains a difference in the curves.${alone && ` ${alone}.`}`,
    };
  }
  if (settings.length === 0 && runs.some((count) => count > 1))
    return { tone: "quiet", says: "The groups have the same settings: what differs between them is chance." };
  if (settings.length === 0)
    return {
      tone: "quiet",
      says: "No setting differs: what differs below is chance, or the machine, or what operators did.",
    };
  if (settings.length === 1 && settings[0]!.name === "seed")
    return { tone: "quiet", says: "Only the seed differs: what differs below is chance." };
  const fewest = Math.min(...runs);
  return {
    tone: "quiet",
    says:
      fewest > 1
        ? `Against ${first}: ${alone}, over ${runs.join(" and ")} runs. A difference within the bands may be chance.`
        : `Against ${first}: ${alone}. Chance may still be the cause: compare other seeds.`,
  };
}

function shortened(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

function same(a: unknown, b: unknown): boolean {
  return settingText(a) === settingText(b);
}

export function settingText(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
