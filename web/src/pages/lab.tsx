/** The laboratory: experiments of many runs, their tables and pictures. */
import { useEffect } from "preact/hooks";
import type { LabAnswer } from "../../../src/types/page.ts";
import { Command, Empty, Problem } from "../components/parts.tsx";
import { ago, visible } from "../format.ts";
import { useKey } from "../keys.ts";
import { hashOf, setQuery, view } from "../router.ts";
import { now } from "../state/clock.ts";
import { useAnswer } from "../state/use-answer.ts";
import { commandOf } from "../state/workspace.ts";
import { Experiment } from "./lab/experiment.tsx";

export function LabPage() {
  const { answer, error, again } = useAnswer<LabAnswer>("/api/lab");
  const { query } = view.value;
  const experiments = answer?.experiments ?? [];
  const asked = query.experiment;
  const shown = asked === undefined ? experiments[0] : experiments.find(({ id }) => id === asked);
  const move = (step: number) => {
    const next = experiments[shown === undefined ? 0 : experiments.indexOf(shown) + step];
    if (next !== undefined) setQuery({ experiment: next.id });
  };
  useKey(experiments.length > 1 ? "j" : undefined, "next experiment", () => move(1));
  useKey(experiments.length > 1 ? "k" : undefined, "previous experiment", () => move(-1));
  useKey("r", "read the tables again", again);
  useEffect(() => {
    document.title = shown === undefined ? "Lab – Ballast" : `${shown.title} – Ballast`;
  }, [shown?.title]);
  return (
    <div class="lab">
      <h1 class="unseen">Lab</h1>
      <Problem error={error} />
      {answer === null && error === null && <Empty>Reading the experiments…</Empty>}
      {answer !== null && experiments.length === 0 && <NoExperiment />}
      {(experiments.length > 1 || (experiments.length === 1 && shown === undefined)) && (
        <nav class="tabs" aria-label="experiments">
          {experiments.map(({ id, title }) => (
            <a key={id} href={hashOf(["lab"], { experiment: id })} aria-current={id === shown?.id ? "page" : undefined}>
              {visible(title)}
            </a>
          ))}
        </nav>
      )}
      {experiments.length > 0 && shown === undefined && (
        <Empty>There is no experiment {visible(asked!)} in this workspace. Choose one above.</Empty>
      )}
      {shown && (
        <>
          <header class="lab-head">
            <h2>{visible(shown.title)}</h2>
            <time class="quiet" dateTime={new Date(shown.at).toISOString()} title={new Date(shown.at).toLocaleString()}>
              {ago(now.value - shown.at)}
            </time>
          </header>
          <Experiment key={shown.id} experiment={shown} />
        </>
      )}
    </div>
  );
}

function NoExperiment() {
  return (
    <section class="empty" aria-label="no experiments yet">
      <p>
        This workspace has no experiment yet. This one runs a suite of cases that no rule was tuned on, with actions and
        without, and takes most of an hour on two cores; what is finished is kept if you interrupt it:
      </p>
      <Command>{commandOf("lab strangers")}</Command>
      <p>This one trains a small help desk with each of fourteen injected faults, and takes hours:</p>
      <Command>{commandOf("lab faults")}</Command>
      <p>Smaller, with one fault and one seed:</p>
      <Command>{commandOf("lab faults --faults lr-spike --seeds 11")}</Command>
    </section>
  );
}
