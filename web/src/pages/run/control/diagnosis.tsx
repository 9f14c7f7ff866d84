/** Likely causes of what is seen, the checklist by phases, and the doctor's findings before the run. */
import type { DiagnosisAnswer, RunSummary } from "../../../../../src/types/page.ts";
import { isFile } from "../../../api.ts";
import { Card, Command, Empty, Problem, Tag } from "../../../components/parts.tsx";
import { percent, plural, visible } from "../../../format.ts";
import { useAnswer } from "../../../state/use-answer.ts";
import { commandOf, quoted } from "../../../state/workspace.ts";

interface DiagnosisProps {
  readonly run: RunSummary;
  readonly argument: string;
}

export function Diagnosis({ run, argument }: DiagnosisProps) {
  const { answer, error, again } = useAnswer<DiagnosisAnswer>(`/api/runs/${encodeURIComponent(run.id)}/diagnosis`);
  if (answer === null) {
    return (
      <Card title="Diagnosis">
        {error === null ? (
          <p class="quiet">Reading the run's history …</p>
        ) : error.status === 409 || isFile ? (
          <Empty>
            {error.message}. {error.hint}
          </Empty>
        ) : (
          <Problem error={error} />
        )}
      </Card>
    );
  }
  const { position } = run;
  // The evaluation after the last iteration counts as one more.
  const done =
    position?.stage === "ppo" ? Math.min(position.iteration + 1, position.of ?? Infinity) : answer.iterations;
  const behind = done - answer.iterations;
  const aside = (
    <span class="quiet">
      over {plural(answer.iterations, "iteration")}
      {behind > 0 && !isFile && (
        <button type="button" class="ghost" onClick={again}>
          {behind} more since: look again
        </button>
      )}
    </span>
  );
  return (
    <>
      <Card title="Likely causes" aside={aside}>
        <Causes {...answer} />
        {!isFile && <Command>{commandOf(`diagnose ${quoted(argument)}`)}</Command>}
      </Card>
      <Card title="Checklist by phases">
        <Phases {...answer} />
      </Card>
      <Card title="The doctor's findings">
        <Findings {...answer} />
      </Card>
    </>
  );
}

function Causes({ iterations, diagnoses }: DiagnosisAnswer) {
  if (iterations === 0 && diagnoses.length === 0) return <Empty>There is no PPO iteration to judge yet.</Empty>;
  if (diagnoses.length === 0) return <Empty>No symptom is seen in this run's curves.</Empty>;
  const symptoms = new Map<string, DiagnosisAnswer["diagnoses"][number][]>();
  for (const one of diagnoses) symptoms.set(one.seen, [...(symptoms.get(one.seen) ?? []), one]);
  return (
    <ul class="symptoms">
      {[...symptoms].map(([seen, causes]) => (
        <li key={seen}>
          <h3>
            {visible(seen)} <code class="quiet">{visible(causes[0]!.symptom)}</code>
          </h3>
          <ol class="causes">
            {causes.map(({ cause, likelihood, evidence, remedy }) => (
              <li key={cause}>
                <Tag>{percent(likelihood, 0)}</Tag>
                <div>
                  <b>{visible(cause)}</b>
                  <dl>
                    <dt>evidence</dt>
                    <dd>{visible(evidence)}</dd>
                    <dt>remedy</dt>
                    <dd>{visible(remedy)}</dd>
                  </dl>
                </div>
              </li>
            ))}
          </ol>
        </li>
      ))}
    </ul>
  );
}

const checkStates = {
  ok: { shape: "✓", word: "ok", tone: "good" },
  "not ok": { shape: "✗", word: "not ok", tone: "bad" },
  unknown: { shape: "?", word: "unknown", tone: "quiet" },
} as const;

function Phases({ phases }: DiagnosisAnswer) {
  if (phases.length === 0) return <Empty>The checklist begins with PPO's first iterations.</Empty>;
  return (
    <ol class="phases">
      {phases.map(({ name, from, to, current, checks }) => {
        const notOk = checks.filter(({ state }) => state === "not ok").length;
        return (
          <li key={name}>
            <details open={current || notOk > 0}>
              <summary>
                <b>{visible(name)}</b>{" "}
                <span class="quiet">
                  it {from} to {Math.max(from, to - 1)}
                </span>{" "}
                {current && <Tag>now</Tag>}{" "}
                <span class={notOk > 0 ? "bad" : "quiet"}>
                  {notOk > 0 ? `✗ ${notOk} not ok` : `${checks.filter(({ state }) => state === "ok").length} ok`}
                </span>
              </summary>
              <ul class="checks">
                {checks.map(({ check, state, seen }) => {
                  const { shape, word, tone } = checkStates[state];
                  return (
                    <li key={check}>
                      <span class={`state ${tone}`}>
                        <span aria-hidden="true">{shape}</span> {word}
                      </span>
                      <span>
                        {visible(check)} <span class="quiet">{visible(seen)}</span>
                      </span>
                    </li>
                  );
                })}
              </ul>
            </details>
          </li>
        );
      })}
    </ol>
  );
}

const severities = {
  error: { shape: "✗", tone: "bad" },
  warning: { shape: "▲", tone: "warn" },
  note: { shape: "△", tone: "quiet" },
} as const;

/** The doctor's findings, with the reasons that the configuration gives for explained ones. */
export function Findings({ findings }: Pick<DiagnosisAnswer, "findings">) {
  if (findings === null) return <Empty>The doctor did not check this run's configuration.</Empty>;
  if (findings.length === 0) return <p class="quiet">✓ It found nothing wrong with the configuration.</p>;
  return (
    <ul class="findings">
      {findings.map(({ id, severity, what, why, remedy, explained }) => {
        const { shape, tone } = severities[severity];
        return (
          <li key={`${id} ${what}`}>
            <p>
              <span class={`state ${explained === null ? tone : "quiet"}`}>
                <span aria-hidden="true">{shape}</span> {explained === null ? severity : `${severity}, explained`}
              </span>{" "}
              <b>{visible(what)}</b>
            </p>
            <p>{visible(why)}</p>
            <p class="quiet">
              {explained === null ? visible(remedy) : `On purpose: ${visible(explained)}`} <code>{visible(id)}</code>
            </p>
          </li>
        );
      })}
    </ul>
  );
}
