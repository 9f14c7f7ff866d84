/** What happened, as sentences, newest first: each marks its iteration in the charts and leads to its samples. */
import { computed } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { PageEvent } from "../../../../../src/types/page.ts";
import type { EventKind, Stage } from "../../../../../src/types/records.ts";
import { isFile } from "../../../api.ts";
import { Empty } from "../../../components/parts.tsx";
import { ago } from "../../../format.ts";
import { hashOf, setQuery } from "../../../router.ts";
import { now } from "../../../state/clock.ts";
import { summaries } from "../../../state/live.ts";
import type { RunData } from "../../../state/run-data.ts";
import { type Fold, folded, foldWords, kindWords, lookOf, matches, sentenceOf } from "./event-words.ts";
import { stageNames } from "./strip.tsx";
import { choose, type OverviewState } from "./view-state.ts";

/** Hundreds of ages need not be updated every second. */
const quarterMinute = computed(() => 15_000 * Math.floor(now.value / 15_000));

export interface EventListProps {
  readonly data: RunData;
  readonly stage: Stage;
  readonly state: OverviewState;
}

export function EventList({ data, stage, state }: EventListProps) {
  const all = data.events.value;
  const older = data.olderEvents.value;
  const { kind, tier, it } = state;
  // An error ends the run, whichever stage is shown.
  const own = useMemo(() => all.filter((event) => event.stage === stage || event.kind === "error"), [all, stage]);
  const rows = useMemo(() => {
    const found = own.filter((event) => matches(event, { kind, tier }));
    return kind === null && tier === null ? folded(found) : found.reverse();
  }, [own, kind, tier]);
  const open = useMemo(
    () => computed(() => (summaries.value.get(data.id) ?? data.answer.value?.run)?.openIncidents),
    [data],
  );
  const waits = open.value ? own.findLast((event) => event.kind === "incident" && !event.superseded) : undefined;
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const row = list.current?.querySelector<HTMLElement>("[data-chosen]");
    const box = list.current;
    if (!row || !box) return;
    const [top, bottom] = [row.offsetTop - box.offsetTop, row.offsetTop - box.offsetTop + row.offsetHeight];
    if (top < box.scrollTop || bottom > box.scrollTop + box.clientHeight) box.scrollTop = top - 20;
  }, [it]);
  return (
    <aside class="events" aria-label="what happened">
      <header>
        <h2>What happened</h2>
        <Filters own={own} kind={kind} tier={tier} older={older} />
      </header>
      {rows.length === 0 && (
        <Empty>{own.length === 0 ? "Nothing has happened yet." : "Nothing of this kind has happened."}</Empty>
      )}
      <ol ref={list} tabIndex={-1}>
        {rows.map((row) =>
          "events" in row ? (
            <FoldRow key={`fold ${row.events.at(-1)!.seq}`} fold={row} runId={data.id} it={it} />
          ) : (
            <EventRow key={row.seq} event={row} runId={data.id} it={it} waits={row === waits} />
          ),
        )}
        {older && !isFile && (
          <li>
            <button type="button" onClick={() => void data.loadOlderEvents()}>
              load older ones
            </button>
          </li>
        )}
      </ol>
    </aside>
  );
}

interface FiltersProps {
  readonly own: readonly PageEvent[];
  readonly kind: EventKind | null;
  readonly tier: 1 | 2 | 3 | null;
  /** Whether the server has older notes, checkpoints and the like. */
  readonly older: boolean;
}

function Filters({ own, kind, tier, older }: FiltersProps) {
  const kinds = (Object.keys(kindWords) as EventKind[]).filter((one) => own.some((event) => event.kind === one));
  const count = (isIt: (event: PageEvent) => boolean, mayBeMore: boolean) =>
    `${own.filter(isIt).length}${older && mayBeMore ? "+" : ""}`;
  return (
    <span class="filters">
      <select
        aria-label="kind of event"
        value={kind ?? ""}
        onChange={(event) => setQuery({ kind: event.currentTarget.value })}
      >
        <option value="">all {count(() => true, true)}</option>
        {kinds.map((one) => (
          <option key={one} value={one}>
            {kindWords[one]} {count((event) => event.kind === one, /^(alert|checkpoint|note)$/.test(one))}
          </option>
        ))}
      </select>
      <select aria-label="tier" value={tier ?? ""} onChange={(event) => setQuery({ tier: event.currentTarget.value })}>
        <option value="">any tier</option>
        {([1, 2, 3] as const).map((one) => (
          <option key={one} value={one}>
            tier {one}: {count((event) => event.tier === one, one === 3)}
          </option>
        ))}
      </select>
    </span>
  );
}

interface RowProps {
  readonly runId: string;
  readonly it: number | null;
}

function FoldRow({ fold, runId, it }: RowProps & { readonly fold: Fold }) {
  const { events } = fold;
  const iterations = events.map(({ iteration }) => iteration);
  const [first, last] = [Math.min(...iterations), Math.max(...iterations)];
  const { shape, tone } = lookOf(events.find((event) => lookOf(event).quiet !== true) ?? events[0]!);
  return (
    <li data-chosen={events.some(({ iteration }) => iteration === it) || undefined}>
      <details>
        <summary>
          <span class={`event-shape ${tone}`} aria-hidden="true">
            {shape}
          </span>
          <span class="event-says">{foldWords(fold)}</span>
          <span class="event-when quiet">
            it {first} to {last}
          </span>
        </summary>
        <ol>
          {events.map((event) => (
            <EventRow key={event.seq} event={event} runId={runId} it={it} />
          ))}
        </ol>
      </details>
    </li>
  );
}

function EventRow({ event, runId, it, waits }: RowProps & { readonly event: PageEvent; readonly waits?: boolean }) {
  const { iteration, stage, message, hint, superseded, tier, attempt, kind, at } = event;
  const { shape, tone } = lookOf(event);
  const isChosen = iteration === it;
  const says = sentenceOf(hint === undefined ? message : `${message}. ${hint}`, runId);
  return (
    <li class="event" data-chosen={isChosen || undefined}>
      <button
        type="button"
        class="event-main"
        aria-pressed={isChosen}
        title="mark this iteration in the charts"
        onClick={() => choose(isChosen ? null : iteration)}
      >
        <span class={`event-shape ${tone}`} aria-hidden="true">
          {shape}
        </span>
        <span class="event-says">{superseded ? <s>{says}</s> : says}</span>
      </button>
      <span class="event-when quiet">
        {tier !== undefined && `tier ${tier} · `}
        {superseded && `attempt ${attempt}, superseded · `}
        {kind === "error" && `${stageNames[stage]} · `}
        {stage === "ppo" ? "it" : "step"} {iteration} · <Age at={at} />
        {stage === "ppo" && (
          <>
            {" · "}
            <a
              href={hashOf(["runs", runId, "samples"], { it: iteration })}
              aria-label={`samples of iteration ${iteration}`}
            >
              samples
            </a>
          </>
        )}
        {(kind === "incident" || kind === "intervention") && (
          <>
            {" · "}
            <a href={hashOf(["runs", runId, "control"])}>{waits ? "decide" : "in Control"}</a>
          </>
        )}
      </span>
    </li>
  );
}

function Age({ at }: { readonly at: number }) {
  return <time dateTime={new Date(at).toISOString()}>{ago(quarterMinute.value - at)}</time>;
}
