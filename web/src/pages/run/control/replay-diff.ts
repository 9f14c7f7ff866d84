/** The recorded decisions compared with those of different rules, entry by entry. */
import type { ReplayAnswer, Said } from "../../../../../src/types/page.ts";

export interface ReplayRow {
  readonly iteration: number;
  readonly rule: string;
  readonly was: Said | null;
  readonly now: Said | null;
  readonly isSame: boolean;
}

/** Rows by iteration; entries with the same rule, kind and step in one iteration share a row. */
export function replayRows({ recorded, replayed }: Pick<ReplayAnswer, "recorded" | "replayed">): ReplayRow[] {
  const rows = new Map<string, { was: Said | null; now: Said | null }>();
  const put = (side: "was" | "now", list: readonly Said[]) => {
    const count = new Map<string, number>();
    for (const said of list) {
      const name = `${said.iteration} ${said.kind} ${said.step} ${said.rule}`;
      const nth = count.get(name) ?? 0;
      count.set(name, nth + 1);
      const row = rows.get(`${name} ${nth}`) ?? { was: null, now: null };
      row[side] = said;
      rows.set(`${name} ${nth}`, row);
    }
  };
  put("was", recorded);
  put("now", replayed);
  return [...rows.values()]
    .map(({ was, now }) => {
      const { iteration, rule } = (was ?? now)!;
      const isSame = was !== null && now !== null && was.text === now.text && was.acted === now.acted;
      return { iteration, rule, was, now, isSame };
    })
    .sort((a, b) => a.iteration - b.iteration);
}
