/** The final evaluation: every figure before and after PPO with its interval, the paired change, and transcripts. */
import { figureOrder, figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { Estimate, Evaluation, PairedDifference } from "../../../../../src/types/evaluation.ts";
import { exact } from "../../../components/exact.ts";
import { type Interval, Intervals, scaleOf } from "../../../components/intervals.tsx";
import { LongText } from "../../../components/long-text.tsx";
import { Card } from "../../../components/parts.tsx";
import { Scroll } from "../../../components/scroll.tsx";
import { TableCopies } from "../../../components/table-copies.tsx";
import { figure, percent, visible } from "../../../format.ts";

/** The card; an evaluation without transcripts shows none. */
export function EvaluationCard({
  evaluation,
}: {
  readonly evaluation: Omit<Evaluation, "transcripts"> & Partial<Pick<Evaluation, "transcripts">>;
}) {
  const { before, after, differences, shares, samples, distinctPrompts, temperature, seenInTraining } = evaluation;
  const names = figureOrder([...Object.keys(before?.figures ?? {}), ...Object.keys(after.figures)]);
  const rows = names.map((name) => {
    const isShare = shares.includes(name);
    return {
      name,
      before: estimateWords(before?.figures[name], isShare),
      after: estimateWords(after.figures[name], isShare),
      change: changeWords(differences[name], isShare),
      clear: clearness(differences[name]),
    };
  });
  const table = () => ({
    columns: ["figure", "before", "after", "change"],
    rows: rows.map((row) => [
      figureTitle(row.name),
      ...[row.before, row.after, row.change].map((words) => words.join(" ")),
    ]),
  });
  return (
    <Card title="Before and after PPO" aside={<TableCopies title="evaluation" table={table} />}>
      <p class="quiet">
        {samples} samples{distinctPrompts !== undefined && ` of ${distinctPrompts} prompts`} at temperature{" "}
        {temperature}, the same prompts and random streams on both sides; 95% intervals.
      </p>
      {seenInTraining && <p class="warn">▲ The policy trained on these prompts: this may show only memorisation.</p>}
      <Scroll label="figures before and after PPO">
        <table class="evaluation">
          <thead>
            <tr>
              <th scope="col">figure</th>
              <th scope="col" class="number">
                before
              </th>
              <th scope="col" class="number">
                after
              </th>
              <th scope="col" class="number">
                change
              </th>
              <th scope="col" class="picture">
                ring: before; dot: after
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name}>
                <th scope="row">{visible(figureTitle(row.name))}</th>
                <Words words={row.before} />
                <Words words={row.after} />
                <Words words={[...row.change, row.clear]} />
                <td class="picture">
                  <Picture before={before?.figures[row.name]} after={after.figures[row.name]} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {evaluation.transcripts !== undefined && <Transcripts transcripts={evaluation.transcripts} />}
    </Card>
  );
}

function Picture({ before, after }: { readonly before: Estimate | undefined; readonly after: Estimate | undefined }) {
  const of = (estimate: Estimate | undefined, shape: "ring" | "dot", label: string): Interval[] =>
    estimate === undefined ? [] : [{ ...estimate, shape, label, colour: "--hue" }];
  const items = [...of(before, "ring", "before"), ...of(after, "dot", "after")];
  return items.length === 0 ? null : (
    <Intervals items={items} scale={scaleOf(items)} label="before and after, with intervals" />
  );
}

function Transcripts({ transcripts }: Pick<Evaluation, "transcripts">) {
  if (transcripts.length === 0) return null;
  return (
    <details open={transcripts.length <= 6}>
      <summary>Transcripts ({transcripts.length})</summary>
      <div class="pairs">
        {transcripts.map(({ kind, prompt, before, after }, i) => (
          <article key={i} class="pair" aria-label={`transcript ${i + 1}`}>
            <header>
              <span class="quiet">{exact(kind)}</span>
              <LongText text={prompt} label="prompt" />
            </header>
            <div class="sides">
              <div class="side">
                <p class="quiet label">before</p>
                {before === null ? <p class="quiet">no model before</p> : <LongText text={before} label="answer" />}
              </div>
              <div class="side">
                <p class="quiet label">after</p>
                <LongText text={after} label="answer" />
              </div>
            </div>
          </article>
        ))}
      </div>
    </details>
  );
}

/** A figure and its additions, each of which stays whole at a line break. */
function Words({ words: [first, ...rest] }: { readonly words: readonly string[] }) {
  return (
    <td class="number">
      <b>{first}</b>{" "}
      {rest.map((word) => (
        <>
          <span class="quiet">{word}</span>{" "}
        </>
      ))}
    </td>
  );
}

/** Parts of an estimate: `96.1%`, `[92.8%, 97.9%]`, `greedy 100.0%`. */
function estimateWords(estimate: Estimate | undefined, isShare: boolean): string[] {
  if (estimate === undefined) return ["–"];
  const show = (value: number) => (isShare ? percent(value) : figure(value, 3));
  const { mean, low, high, greedy } = estimate;
  return [show(mean), `[${show(low)}, ${show(high)}]`, ...(greedy === undefined ? [] : [`greedy ${show(greedy)}`])];
}

/** Parts of a change: `+51.2`, `[46.0, 56.3]`, `points`. */
function changeWords(change: PairedDifference | undefined, isShare: boolean): string[] {
  if (change === undefined) return ["–"];
  const show = (value: number) => (isShare ? (100 * value).toFixed(1).replace("-", "−") : figure(value, 3));
  const { difference, low, high } = change;
  return [
    `${difference > 0 ? "+" : ""}${show(difference)}`,
    `[${show(low)}, ${show(high)}]`,
    ...(isShare ? ["points"] : []),
  ];
}

/** Whether the change is distinguishable from none. */
function clearness(change: PairedDifference | undefined): string {
  if (change === undefined) return "";
  return change.low > 0 ? "▲" : change.high < 0 ? "▼" : "≈";
}
