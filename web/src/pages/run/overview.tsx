/** The Run view: whether the run is healthy, what is wrong, and every curve in PPO's causal order. */
import { useEffect, useMemo } from "preact/hooks";
import type { Stage } from "../../../../src/types/records.ts";
import { isFile } from "../../api.ts";
import { Empty } from "../../components/parts.tsx";
import { colourOf } from "../../hues.ts";
import { EvaluationCard } from "./behaviour/evaluation.tsx";
import { ChartGroups } from "./overview/chart-groups.tsx";
import { groupsOf } from "./overview/charts.ts";
import { EventList } from "./overview/event-list.tsx";
import { marksOf, matches } from "./overview/event-words.ts";
import { Facts } from "./overview/facts.tsx";
import { Phases } from "./overview/phases.tsx";
import { Settings } from "./overview/settings.tsx";
import { Strip, TroubleLine } from "./overview/strip.tsx";
import { TileRow } from "./overview/tile-row.tsx";
import { tilesOf } from "./overview/tiles.ts";
import { Toolbar } from "./overview/toolbar.tsx";
import { overviewState } from "./overview/view-state.ts";
import type { TabProps } from "./tab.ts";

export function OverviewTab({ data, answer, run }: TabProps) {
  const state = overviewState();
  const stage: Stage = state.stage ?? run.position?.stage ?? answer.stages.at(-1)?.stage ?? "ppo";
  const { from, to } = state;
  useEffect(() => data.zoom({ from, to }), [data, from, to]);
  useEffect(() => () => data.zoom({ from: undefined, to: undefined }), [data]);

  // The stream tells of the end, but does not bring the evaluation.
  useEffect(() => {
    if (run.state === "done" && answer.evaluation === null && !isFile) void data.reload();
  }, [data, run.state]);

  const targetUnit = targetUnitOf(answer.config);
  // The answer changes with each iteration, its keys do not.
  const keyList = answer.keys.flatMap((one) => (one.stage === stage ? [one.key] : [])).join(",");
  const keys = useMemo(() => (keyList === "" ? [] : keyList.split(",")), [keyList]);
  const groups = useMemo(() => groupsOf({ stage, keys, targetUnit }), [stage, keys, targetUnit]);
  const tiles = useMemo(() => tilesOf(stage, { keys, targetUnit }), [stage, keys, targetUnit]);
  const events = data.events.value;
  const { kind, tier } = state;
  const marks = useMemo(
    () =>
      marksOf(
        events.filter((event) => matches(event, { kind, tier })),
        { stage, runId: data.id },
      ),
    [events, kind, tier, stage, data],
  );
  const latest = answer.latest[stage] ?? {};
  const [klTarget, penaltyTarget] = ["settings/kl_target", "settings/penalty_target"].map((key) => latest[key]);
  const targets = useMemo(
    () => ({
      ...(klTarget !== undefined && { "settings/kl_target": Number(klTarget) }),
      ...(penaltyTarget !== undefined && { "settings/penalty_target": Number(penaltyTarget) }),
    }),
    [klTarget, penaltyTarget],
  );
  const { thresholds } = answer;
  const place = JSON.stringify(state);
  // Parts that neither an iteration nor the pointer changes are not rebuilt: charts receive new rows by themselves.
  const charts = useMemo(
    () => <ChartGroups {...{ data, stage, groups, thresholds, targets, marks, state }} />,
    [data, stage, groups, thresholds, targets, marks, place],
  );
  const list = useMemo(() => <EventList {...{ data, stage, state }} />, [data, stage, place]);
  const done = answer.stages.find((one) => one.stage === stage)?.done ?? 0;
  const newest = Math.max(0, done - 1);
  const settings = useMemo(() => <Settings {...{ data, stage, state, newest }} />, [data, stage, place, newest]);
  return (
    <div class="overview">
      <h2 class="unseen">How it is doing</h2>
      <Strip {...{ data, answer, run, stage }} />
      <TroubleLine {...{ data, answer, run }} />
      <TileRow {...{ data, answer, stage, tiles }} />
      {answer.evaluation !== null && (
        <div class="overview-results" style={{ "--hue": `var(${colourOf(data.id)})` }}>
          <EvaluationCard evaluation={answer.evaluation} />
        </div>
      )}
      <Toolbar {...{ answer, stage, state, done }} />
      <div class="overview-body">
        <div class="overview-charts">
          {groups.length === 0 && (
            <Empty>
              No {stage === "ppo" ? "iteration" : "step"} of this stage is recorded yet: charts begin with the first
              one.
            </Empty>
          )}
          {charts}
        </div>
        {list}
      </div>
      <div class="overview-foot">
        <div class="overview-side">
          {done > 0 && <Phases {...{ data, stage, keys }} at={Math.min(state.it ?? newest, newest)} />}
          <Facts answer={answer} />
        </div>
        {settings}
      </div>
    </div>
  );
}

function targetUnitOf(config: Readonly<Record<string, unknown>>): "token" | "sequence" {
  const { kl } = (config.ppo ?? {}) as { readonly kl?: { readonly targetUnit?: string } };
  return kl?.targetUnit === "sequence" ? "sequence" : "token";
}
