/** The runs' results: figures before and after PPO with their intervals, and the newest metrics. */
import { figureOrder, figureTitle } from "../../../../src/signals/figure-titles.ts";
import type { Estimate, Evaluation } from "../../../../src/types/evaluation.ts";
import type { CompareAnswer, Num } from "../../../../src/types/page.ts";
import type { Stage } from "../../../../src/types/records.ts";
import type { Interval } from "../../components/intervals.tsx";
import { Card, Empty } from "../../components/parts.tsx";
import { Scroll } from "../../components/scroll.tsx";
import { TableCopies } from "../../components/table-copies.tsx";
import { figure, percent, visible } from "../../format.ts";
import type { RunInk } from "../../hues.ts";
import { RunName } from "./chooser.tsx";
import { FigureIntervals } from "./figure-intervals.tsx";

export interface ResultsProps {
  readonly results: CompareAnswer["results"];
  readonly inks: readonly RunInk[];
}

/** Metrics to show, also for runs without an evaluation. */
const newest: readonly { readonly says: string; readonly stage: Stage; readonly key: string }[] = [
  { says: "SFT, held-out loss", stage: "sft", key: "sft/heldout_loss" },
  { says: "reward model, held-out accuracy", stage: "reward", key: "reward_model/heldout_accuracy" },
  { says: "reward of the last rollout", stage: "ppo", key: "reward/score_mean" },
  { says: "KL to the reference, nats/token", stage: "ppo", key: "kl/ref_k3_token" },
  { says: "gold, monitoring set", stage: "ppo", key: "monitor/gold" },
  { says: "health", stage: "ppo", key: "health/total" },
];

export function Results({ results, inks }: ResultsProps) {
  const evaluations = results.map(({ evaluation }) => evaluation);
  const names = namesOf(evaluations);
  const rows = newest.filter(({ stage, key }) => results.some(({ latest }) => latest[stage]?.[key] !== undefined));
  const newestOf = (i: number, stage: Stage, key: string): Num | undefined => results[i]!.latest[stage]?.[key];
  const table = () => ({
    columns: ["figure", ...inks.map(({ id }) => id)],
    rows: [
      ...names.map((name) => [figureTitle(name), ...evaluations.map((one) => (one ? beforeAfter(one, name) : "–"))]),
      ...rows.map(({ says, stage, key }) => [says, ...results.map((_, i) => figure(newestOf(i, stage, key)))]),
    ],
  });
  const unlike = unlikeEvaluations(evaluations);
  return (
    <Card title="Before and after PPO" aside={<TableCopies title="results" table={table} />}>
      {unlike !== null && (
        <p class="verdict warn" role="alert">
          <span aria-hidden="true">▲ </span>
          {unlike}
        </p>
      )}
      {names.length === 0 && (
        <Empty>None of these runs has been evaluated yet: evaluation follows PPO. Their newest figures:</Empty>
      )}
      <Scroll label="results">
        <table class="results">
          <thead>
            <tr>
              <th>figure</th>
              {inks.map((ink) => (
                <th key={ink.id}>
                  <RunName ink={ink} />
                </th>
              ))}
              {names.length > 0 && <th class="picture">after, with its 95% interval; ring: before</th>}
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <tr key={name}>
                <th scope="row">{visible(figureTitle(name))}</th>
                {evaluations.map((evaluation, i) => (
                  <td key={i}>{evaluation === null ? "–" : <Figures evaluation={evaluation} name={name} />}</td>
                ))}
                <td class="picture">
                  <Picture name={name} evaluations={evaluations} inks={inks} />
                </td>
              </tr>
            ))}
            {rows.map(({ says, stage, key }) => (
              <tr key={key}>
                <th scope="row">
                  {says} <span class="quiet">newest</span>
                </th>
                {results.map((_, i) => (
                  <td key={i}>{figure(newestOf(i, stage, key))}</td>
                ))}
                {names.length > 0 && <td class="picture" />}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Card>
  );
}

/** A figure `40.6% → 92.6% [88.2%, 95.4%]`, and the paired change below it. */
function Figures({ evaluation, name }: { readonly evaluation: Evaluation; readonly name: string }) {
  const { before, after, differences, shares } = evaluation;
  const isShare = shares.includes(name);
  const show = (value: number) => (isShare ? percent(value) : figure(value, 3));
  const [from, to] = [before?.figures[name], after.figures[name]];
  const gain = differences[name];
  if (to === undefined) return <>–</>;
  return (
    <>
      {from !== undefined && <span class="quiet">{show(from.mean)} → </span>}
      <b>{show(to.mean)}</b>{" "}
      <span class="quiet interval">
        [{show(to.low)}, {show(to.high)}]
      </span>
      {gain !== undefined && (
        <div class="quiet interval">
          change {points(gain.difference, isShare)} [{points(gain.low, isShare)}, {points(gain.high, isShare)}]
          {isShare && " points"}
        </div>
      )}
    </>
  );
}

function points(value: number, isShare: boolean): string {
  const text = isShare ? (100 * value).toFixed(1).replace("-", "−") : figure(value, 3);
  return value > 0 ? `+${text}` : text;
}

function Picture({
  name,
  evaluations,
  inks,
}: {
  readonly name: string;
  readonly evaluations: readonly (Evaluation | null)[];
  readonly inks: readonly RunInk[];
}) {
  const items = evaluations.flatMap((evaluation, i): Interval[] => {
    const { letter, colour } = inks[i]!;
    const of = (estimate: Estimate | undefined, shape: "dot" | "ring", label: string) =>
      estimate === undefined ? [] : [{ ...estimate, shape, colour, label }];
    return [
      ...of(evaluation?.before?.figures[name], "ring", `${letter} before`),
      ...of(evaluation?.after.figures[name], "dot", `${letter} after`),
    ];
  });
  return <FigureIntervals items={items} isShare={evaluations.some((one) => one?.shares.includes(name))} />;
}

function namesOf(evaluations: readonly (Evaluation | null)[]): string[] {
  return figureOrder(evaluations.flatMap((one) => Object.keys(one?.after.figures ?? {})));
}

function beforeAfter({ before, after, shares }: Evaluation, name: string): string {
  const show = (value: number) => (shares.includes(name) ? percent(value) : figure(value, 3));
  const [from, to] = [before?.figures[name], after.figures[name]];
  if (to === undefined) return "–";
  const interval = `${show(to.mean)} [${show(to.low)}, ${show(to.high)}]`;
  return from === undefined ? interval : `${show(from.mean)} → ${interval}`;
}

/** Why figures are not comparable (different samples or temperatures); null if they are. */
export function unlikeEvaluations(evaluations: readonly (Evaluation | null)[]): string | null {
  const found = evaluations.filter((one) => one !== null);
  const unlike = (["samples", "temperature", "seed"] as const).filter(
    (name) => new Set(found.map((one) => one[name])).size > 1,
  );
  if (unlike.length === 0) return null;
  const each = unlike.map((name) => `${name} ${found.map((one) => one[name]).join(", ")}`);
  return `These runs were evaluated in different ways: ${each.join("; ")}.`;
}
