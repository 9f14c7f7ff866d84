/** The evidence of an incident: the alert and its values, twenty iterations of signals, the worst samples, earlier changes. */
import type { ComponentChildren } from "preact";
import type { IncidentRecord } from "../../../../../src/types/alerts.ts";
import type { Num, PageRule } from "../../../../../src/types/page.ts";
import { Chart } from "../../../components/chart.tsx";
import { LongText } from "../../../components/long-text.tsx";
import { Scroll } from "../../../components/scroll.tsx";
import { figure, plural, visible } from "../../../format.ts";
import { colourOf } from "../../../hues.ts";
import { hashOf } from "../../../router.ts";
import { sentenceOf } from "../overview/event-words.ts";
import { iterationsAt } from "./decision.ts";
import { hairlinesOf } from "./hairlines.ts";
import { type EvidenceSignal, signalsOf } from "./signals.ts";

export interface EvidenceProps {
  readonly incident: IncidentRecord;
  readonly rules: readonly PageRule[];
  readonly runId: string;
}

const points = { scored: "after scoring", step: "before a step", updated: "after the update" } as const;

export function Evidence({ incident, rules, runId }: EvidenceProps) {
  const { evidence, iteration, id } = incident;
  const { alert, worstSamples, changes, active } = evidence;
  const signals = signalsOf(evidence);
  return (
    <div class="evidence">
      <p class="alert-line">
        <code>{visible(alert.signal)}</code> {visible(alert.condition)}: it saw{" "}
        <b>{alert.values.map((value) => figure(value as Num)).join(", ")}</b> {points[alert.point]}
        {alert.step === null ? "" : ` ${alert.step}`} of iteration {alert.iteration}. See{" "}
        <a href={hashOf(["runs", runId, "samples"], { it: iteration })}>its samples</a> and{" "}
        <a href={hashOf(["runs", runId], { it: iteration, from: Math.max(0, iteration - 20), to: iteration + 1 })}>
          the charts up to it
        </a>
        .
      </p>
      <div class="evidence-charts">
        {signals.map((signal, i) => (
          <Chart
            key={signal.key}
            title={signal.title}
            {...(signal.unit !== undefined && { unit: signal.unit })}
            lines={[{ label: "", column: signal.column, colour: colourOf(runId) }]}
            thresholds={i === 0 ? hairlinesOf(rules.filter(({ id: rule }) => rule === incident.rule)) : []}
            chosen={iteration}
            height={88}
            sync={`incident ${id}`}
            file={`${runId} incident ${id} ${signal.title}`}
          />
        ))}
      </div>
      <SignalTable incident={incident} signals={signals} />
      <Part title="Worst samples" isThere={worstSamples.length > 0} else="No samples were kept of this iteration.">
        <ol class="worst">
          {worstSamples.map(({ prompt, response, score }, i) => (
            <li key={i}>
              <b class="score">{figure(score as Num)}</b>
              <div>
                <LongText text={prompt} label="prompt" />
                <div class="response">
                  <LongText text={response} label="response" />
                </div>
              </div>
            </li>
          ))}
        </ol>
      </Part>
      <Part title="What changed before" isThere={changes.length > 0} else="No setting changed lately.">
        <ul class="lines">
          {changes.map(({ iteration: it, key, before, value, cause }, i) => (
            <li key={i}>
              it {it}: <code>{visible(key)}</code> {settingText(before)} → <b>{settingText(value)}</b>{" "}
              <span class="quiet">{cause}</span>
            </li>
          ))}
        </ul>
      </Part>
      <Part title="Interventions in force" isThere={active.length > 0} else="None was in force.">
        <ul class="lines">
          {active.map(({ id: number, from, until, reason }) => (
            <li key={number}>
              it {from}
              {until === null ? "" : ` to ${until}`}: {sentenceOf(reason, runId)}
            </li>
          ))}
        </ul>
      </Part>
      <Checkpoints incident={incident} />
    </div>
  );
}

function SignalTable({ incident, signals }: { incident: IncidentRecord; signals: readonly EvidenceSignal[] }) {
  const { iterations } = incident.evidence;
  return (
    <details>
      <summary>the figures of {plural(iterations.length, "iteration")}</summary>
      <Scroll label="figures of each iteration">
        <table class="figures">
          <thead>
            <tr>
              <th class="number">it</th>
              {signals.map(({ key, title }) => (
                <th key={key} class="number" title={key}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {iterations.map(({ iteration }, i) => (
              <tr key={iteration} class={iteration === incident.iteration ? "at" : ""}>
                <th scope="row" class="number">
                  {iteration}
                </th>
                {signals.map(({ key, values }) => (
                  <td key={key} class="number">
                    {figure(values[i])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}

function Checkpoints({ incident }: { readonly incident: IncidentRecord }) {
  const { before, present, lastHealthy } = incident.evidence.checkpoints;
  const named = [
    ["before it", before],
    ["as it is now", present],
    ["last healthy", lastHealthy],
  ] as const;
  return (
    <Part title="Checkpoints" isThere else="">
      <ul class="lines">
        {named.map(([name, place]) => (
          <li key={name}>
            {name}:{" "}
            {place === null ? (
              <span class="quiet">none</span>
            ) : (
              <span title={place}>{plural(iterationsAt(place) ?? 0, "iteration")} done</span>
            )}
          </li>
        ))}
      </ul>
    </Part>
  );
}

interface PartProps {
  readonly title: string;
  readonly isThere: boolean;
  readonly else: string;
  readonly children: ComponentChildren;
}

function Part({ title, isThere, else: otherwise, children }: PartProps) {
  return (
    <section class="evidence-part">
      <h3>{title}</h3>
      {isThere ? children : <p class="quiet">{otherwise}</p>}
    </section>
  );
}

function settingText(value: number | string | boolean | null): string {
  return typeof value === "number" ? figure(value) : visible(String(value));
}
