/** Interventions in force, each with an undo button; and past ones with their outcomes. */
import type { Intervention } from "../../../../../src/types/alerts.ts";
import { isFile } from "../../../api.ts";
import { Button, Card, Command, Empty, Tag } from "../../../components/parts.tsx";
import { plural, visible } from "../../../format.ts";
import { hashOf } from "../../../router.ts";
import { sentenceOf } from "../overview/event-words.ts";
import { pastOf, results } from "./past-interventions.ts";
import { Sent } from "./sent.tsx";
import { tellCommand } from "./tell.ts";
import { type Steered, useSend } from "./use-control.ts";

export function Interventions(props: Steered) {
  const { control, data, run, argument, mayChange } = props;
  const { active, profile, interventions } = control;
  const sender = useSend(props);
  const past = pastOf(data.events.value, active);
  const next = (run.position?.iteration ?? -1) + 1;
  const undo = ({ id }: Intervention) =>
    void sender.send(`/api/runs/${encodeURIComponent(run.id)}/commands`, {
      kind: "undo",
      payload: { intervention: id },
    });
  const newest = active.at(-1)?.id;
  return (
    <Card title="Interventions" aside={<span class="quiet">{profileWords(profile, interventions)}</span>}>
      {active.length === 0 ? (
        <p class="quiet">None is in force.</p>
      ) : (
        <ul class="in-force">
          {active.map((one) => {
            const command = tellCommand({ kind: "undo", run: argument, payload: { intervention: one.id } });
            return (
              <li key={one.id}>
                <div class="in-force-head">
                  <Tag tone="warn">◈ {one.id}</Tag>
                  <span>{sentenceOf(one.reason, data.id)}</span>
                </div>
                <p class="quiet">
                  rule <RuleLink runId={data.id} rule={one.rule} />, since it {one.from}
                  {one.until !== null &&
                    `, until it ${one.until}: ${plural(Math.max(0, one.until - next), "iteration")} left`}
                </p>
                {!isFile && (
                  <div class="undo">
                    <Button
                      disabled={!mayChange || sender.isBusy}
                      command={command}
                      says={`undo intervention ${one.id}`}
                      label={`undo intervention ${one.id}`}
                      {...(one.id === newest && { shortcut: "u" })}
                      onPress={() => undo(one)}
                    >
                      Undo
                    </Button>
                    <Command>{command}</Command>
                  </div>
                )}
              </li>
            );
          })}
        </ul>
      )}
      <Sent sender={sender} commands={control.commands} />
      <Past {...props} past={past} />
    </Card>
  );
}

function Past({ data, past }: Steered & { readonly past: ReturnType<typeof pastOf> }) {
  if (past.length === 0) return <Empty>No rule has acted yet.</Empty>;
  return (
    <details class="past" open={past.length <= 8}>
      <summary>{plural(past.length, "past intervention")}</summary>
      <ul class="given">
        {past.map(({ event, outcome }) => {
          const result = outcome?.result === undefined ? null : results[outcome.result];
          return (
            <li key={event.seq} class={event.superseded ? "superseded" : ""}>
              <span class={`state ${result?.tone ?? "quiet"}`} title={result?.word ?? "happened once"}>
                <span aria-hidden="true">{result?.shape ?? "·"}</span>
              </span>
              <span>
                <a href={hashOf(["runs", data.id, "samples"], { it: event.iteration })}>it {event.iteration}</a>{" "}
                {sentenceOf(event.message, data.id)}{" "}
                <span class="quiet">
                  {outcome === null ? "" : `→ it ${outcome.iteration}: ${sentenceOf(outcome.message, data.id)}`}
                  {event.superseded ? " (superseded by a later attempt)" : ""}
                </span>
              </span>
            </li>
          );
        })}
      </ul>
    </details>
  );
}

export function RuleLink({ runId, rule }: { readonly runId: string; readonly rule: string }) {
  return <a href={hashOf(["runs", runId, "control"], { rule })}>{visible(rule)}</a>;
}

function profileWords(profile: "fixed" | "adaptive", interventions: "on" | "off"): string {
  if (interventions === "off") return `profile ${profile}; interventions are off: rules only alert`;
  return profile === "fixed" ? "profile fixed: only tier 1 acts" : "profile adaptive: tiers 1 and 2 act";
}
