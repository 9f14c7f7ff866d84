/** The parts of a run's row or card. */
import type { RunSummary } from "../../../../src/types/page.ts";
import { State, Tag } from "../../components/parts.tsx";
import { ago, plural, visible } from "../../format.ts";
import { hashOf, setQuery } from "../../router.ts";
import { now } from "../../state/clock.ts";
import { toggled, wordsOf } from "../../state/run-list.ts";

export const stageWords = { sft: "SFT", reward: "reward model", ppo: "PPO" } as const;

/** The state; the age of the last heartbeat, if there should be one; and what waits for the operator. */
export function StateCell({ run }: { readonly run: RunSummary }) {
  const { id, state, lastBeat, openIncidents } = run;
  const heard = lastBeat !== null && (state === "running" || state === "paused" || state === "lost");
  return (
    <>
      <State state={state} />
      {heard && (
        <span class="quiet beat" title="when the process was last heard">
          {" "}
          <Ago at={lastBeat} />
        </span>
      )}
      {openIncidents > 0 && (
        <a class="incident bad" href={hashOf(["runs", id, "control"])}>
          <span aria-hidden="true">!</span> {plural(openIncidents, "incident")}
        </a>
      )}
    </>
  );
}

export function ProgressCell({ run: { position } }: { readonly run: RunSummary }) {
  if (position === null) return <span class="quiet">–</span>;
  const { of, stage } = position;
  // Measurements after the last iteration have the next number.
  const done = Math.min(position.iteration + 1, of ?? Number.POSITIVE_INFINITY);
  return (
    <span class="progress">
      {of !== null && (
        <span class="bar" aria-hidden="true">
          <span style={{ width: `${Math.min(100, (100 * done) / of)}%` }} />
        </span>
      )}
      <span>
        {stageWords[stage]} {done}
        {of !== null && <span class="quiet">/{of}</span>}
      </span>
    </span>
  );
}

/** Tags, each of which narrows the table to its runs. */
export function Tags({ tags, chosen }: { readonly tags: readonly string[]; readonly chosen: string | undefined }) {
  return (
    <>
      {tags.map((tag) => (
        <button
          key={tag}
          type="button"
          class="tag"
          aria-pressed={wordsOf(chosen).includes(tag)}
          aria-label={`tag ${tag}: show its runs`}
          onClick={() => setQuery({ tag: toggled(wordsOf(chosen), tag).join(",") })}
        >
          {visible(tag)}
        </button>
      ))}
    </>
  );
}

export function ArchivedTag({ run }: { readonly run: RunSummary }) {
  return run.archived ? <Tag>archived</Tag> : null;
}

export function Ago({ at }: { readonly at: number }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={new Date(at).toLocaleString()}>
      {ago(now.value - at)}
    </time>
  );
}
