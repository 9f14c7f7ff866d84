/** The run's position, speed and health; and what is wrong now. */
import { figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { RunAnswer, RunSummary } from "../../../../../src/types/page.ts";
import type { Stage } from "../../../../../src/types/records.ts";
import { Health } from "../../../components/health.tsx";
import { Command, State } from "../../../components/parts.tsx";
import { ago, duration, figure, percent } from "../../../format.ts";
import { hashOf } from "../../../router.ts";
import { now } from "../../../state/clock.ts";
import type { RunData } from "../../../state/run-data.ts";
import { useColumns } from "../../../state/use-run.ts";
import { commandOf, quoted } from "../../../state/workspace.ts";
import { sentenceOf } from "./event-words.ts";
import { fallenWords, troubleOf } from "./trouble.ts";
import { choose } from "./view-state.ts";

export interface StripProps {
  readonly data: RunData;
  readonly answer: RunAnswer;
  readonly run: RunSummary;
  readonly stage: Stage;
}

export const stageNames: Readonly<Record<Stage, string>> = { sft: "SFT", reward: "Reward model", ppo: "PPO" };

/** The word for one of a stage's iterations. */
export const stepWord = (stage: Stage) => (stage === "ppo" ? "iteration" : "step");

export function Strip({ data, answer, run, stage }: StripProps) {
  const latest = answer.latest[stage] ?? {};
  const { done = 0, of = null } = answer.stages.find((one) => one.stage === stage) ?? {};
  const seconds = paceOf({ data, answer, stage });
  const left = of === null || seconds === null || !isGoing(run, stage) ? null : Math.max(0, of - done) * seconds;
  const speed =
    latest[{ ppo: "time/sampled_tokens_per_s", sft: "time/tokens_per_s", reward: "time/pairs_per_s" }[stage]];
  const health = latest["health/total"];
  const parts = Object.entries(latest)
    .filter(([key, value]) => key.startsWith("health/") && key !== "health/total" && Number(value) < 80)
    .sort(([, a], [, b]) => Number(a) - Number(b));
  return (
    <dl class="strip">
      <div>
        <dt>State</dt>
        <dd>
          <State state={run.state} /> <Beat run={run} />
        </dd>
      </div>
      <div class="strip-wide">
        <dt>
          {stageNames[stage]} {stepWord(stage)}
        </dt>
        <dd>
          <b>{done}</b> of {of ?? "–"}
          {of !== null && <progress value={done} max={of} aria-label={`${done} of ${of}`} />}
        </dd>
      </div>
      <div>
        <dt>Pace</dt>
        <dd>
          {seconds === null ? "–" : <b>{secondsText(seconds)}</b>}
          {seconds !== null && <span class="quiet"> each</span>}
          {speed !== undefined && (
            <span class="quiet">
              , {figure(Math.round(Number(speed)))} {stage === "reward" ? "pairs" : "tokens"}/s
            </span>
          )}
        </dd>
      </div>
      {left !== null && (
        <div>
          <dt>Left</dt>
          <dd>
            <b>{duration(left)}</b>
          </dd>
        </div>
      )}
      {health !== undefined && (
        <div class="strip-wide">
          <dt>Health</dt>
          <dd>
            <Health health={health} />
            {parts.length > 0 && (
              <span class="quiet">
                {" · "}
                {parts
                  .slice(0, 2)
                  .map(([key, value]) => `${key.slice(7).replaceAll("_", " ")} ${Math.round(Number(value))}`)
                  .join(", ")}
              </span>
            )}
          </dd>
        </div>
      )}
    </dl>
  );
}

function Beat({ run: { alive, lastBeat, state } }: { readonly run: RunSummary }) {
  if (lastBeat === null || (!alive && state !== "lost")) return null;
  return <span class="quiet">beat {ago(now.value - lastBeat)}</span>;
}

function isGoing({ state, position }: RunSummary, stage: Stage): boolean {
  return state === "running" && position?.stage === stage;
}

/** Seconds per iteration: the mean of the newest while the run goes on; before that, the server's figure. */
function paceOf({ data, answer, stage }: Pick<StripProps, "data" | "answer" | "stage">): number | null {
  void data.whole.drawn.value;
  const { mean, width } = data.whole.column(stage, "time/total_s");
  const newest = mean.slice(width === 1 ? -20 : -3).filter((value) => value !== null);
  if (newest.length === 0) return answer.run.position?.stage === stage ? (answer.pace?.seconds ?? null) : null;
  return newest.reduce((sum, value) => sum + value, 0) / newest.length;
}

function secondsText(seconds: number): string {
  return seconds < 60 ? `${figure(seconds, seconds < 1 ? 2 : 3)} s` : duration(seconds);
}

export function TroubleLine({ data, answer, run }: Omit<StripProps, "stage">) {
  // Only a lost run shows an age.
  const at = run.state === "lost" ? now.value : 0;
  const checks = answer.keys.flatMap(({ key }) => (/^monitor\/(?!score$|check_fall$)/.test(key) ? [key] : []));
  useColumns(data.whole, "ppo", checks);
  void data.whole.drawn.value;
  const lost = checks.flatMap((key) => {
    const first = data.whole.column("ppo", key).mean[0] ?? Number.NaN;
    const last = Number(answer.latest.ppo?.[key]);
    // The same threshold as in the rule `check_lost`.
    return first - last >= 0.25 ? [`${figureTitle(key.slice(8))} ${percent(first)} → ${percent(last)}`] : [];
  });
  const fell = answer.evaluation === null ? [] : fallenWords(answer.evaluation);
  const trouble = troubleOf({ run, events: data.events.value, now: at, lost, fell });
  const { shape, tone, says, hint = null, iteration, next } = trouble;
  const samples = hashOf(["runs", run.id, "samples"], { it: iteration ?? undefined });
  return (
    <p class={`trouble ${tone}`} role="status">
      <span>
        <span aria-hidden="true">{shape}</span> <b>{sentenceOf(says, run.id)}</b>
        {hint !== null && ` ${sentenceOf(hint, run.id)}`}
      </span>
      {iteration !== null && (
        <button type="button" class="ghost" onClick={() => choose(iteration)}>
          iteration {iteration}
        </button>
      )}
      {iteration !== null && run.position?.stage === "ppo" && <a href={samples}>samples</a>}
      {next === "behaviour" && <a href={hashOf(["runs", run.id, next])}>see Behaviour</a>}
      {next === "decide" && <a href={hashOf(["runs", run.id, "control"])}>decide in Control</a>}
      {next === "resume" && <Command>{commandOf(`resume ${quoted(answer.argument)}`)}</Command>}
    </p>
  );
}
