/** Pairs from rows that hold one answer each with a label (KTO's true and false, HelpSteer's helpfulness): only made when asked for. */
import { count, type ReadReport } from "./read-report.ts";
import { RowsError } from "./row-faults.ts";
import { type PreferenceRow, placed, placeOf, type SftRow } from "./row-types.ts";
import type { SourceRow } from "./source-row.ts";

interface Labelled {
  readonly row: SftRow;
  readonly label: number;
}

/** Collects answers; `pairs` pairs each two answers to one prompt whose labels differ, the higher one as chosen. */
export function labelledAnswers(column: string): {
  readonly add: (row: SftRow, source: SourceRow) => void;
  readonly pairs: (report: ReadReport) => PreferenceRow[];
} {
  const answers: Labelled[] = [];
  return {
    add(row, { place, value }) {
      const label = numberOf(value[column]);
      if (label !== null && row.plain === undefined) answers.push({ row, label });
      else
        throw new RowsError([
          {
            place,
            problem: `"${column}" is not a label`,
            value: JSON.stringify(value[column] ?? null).slice(0, 60),
            hint: "pairsFrom names a column of true and false, or of numbers of which the higher is better",
          },
        ]);
    },
    pairs(report) {
      const byPrompt = new Map<string, Labelled[]>();
      for (const answer of answers) {
        const key = JSON.stringify(answer.row.prompt);
        const group = byPrompt.get(key);
        if (group) group.push(answer);
        else byPrompt.set(key, [answer]);
      }
      return [...byPrompt.values()].flatMap((group) => {
        const pairs = group.flatMap((a, i) =>
          group.slice(i + 1).flatMap((b) => (a.label === b.label ? [] : [a.label > b.label ? [a, b] : [b, a]])),
        );
        if (pairs.length === 0)
          for (const _ of group) count(report.leftOut, "whose prompt has no answer with a different label");
        return pairs.map(([better, worse]) => pairOf(better!.row, worse!.row));
      });
    },
  };
}

function pairOf(better: SftRow, worse: SftRow): PreferenceRow {
  const pair = { prompt: better.prompt, chosen: better.completion, rejected: worse.completion };
  const place = placeOf(better);
  return place ? placed(pair, place) : pair;
}

function numberOf(label: unknown): number | null {
  if (typeof label === "boolean") return Number(label);
  if (typeof label === "string" && /^(true|false)$/i.test(label)) return Number(/^true$/i.test(label));
  const number = typeof label === "string" && label.trim() === "" ? Number.NaN : Number(label ?? Number.NaN);
  return Number.isFinite(number) ? number : null;
}
