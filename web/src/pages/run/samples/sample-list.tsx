/** The samples of an iteration or of a search, after the pinned ones. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { PageSample } from "../../../../../src/types/page.ts";
import { isFile } from "../../../api.ts";
import { Problem } from "../../../components/parts.tsx";
import { hashOf, view } from "../../../router.ts";
import { workspace } from "../../../state/workspace.ts";
import { Legend } from "./legend.tsx";
import { ordered } from "./order.ts";
import { usePins } from "./pins.ts";
import { Readout } from "./readout.tsx";
import { NoReference, Reference, useReferences } from "./reference.tsx";
import { SampleCard } from "./sample-card.tsx";
import { scaleOf } from "./scale.ts";
import { noSearch, type SamplesState } from "./view-state.ts";

export interface SampleListProps {
  readonly runId: string;
  readonly samples: readonly PageSample[];
  readonly state: SamplesState;
  /** The title of the list: what it has, and how many. */
  readonly title: ComponentChildren;
  readonly none: ComponentChildren;
}

export function SampleList({ runId, samples, state, title, none }: SampleListProps) {
  const pins = usePins(runId);
  const known = useReferences(runId, { wanted: state.reference && !isFile });
  const asked = [...samples, ...pins.samples].some(({ prompt }) => known?.get(prompt)?.a);
  const references = asked ? known : null;
  const { colour, spaces, prompt } = state;
  const rest = ordered(
    samples.filter((sample) => !pins.has(sample)),
    state,
  );
  const scale = useMemo(
    () => scaleOf([...samples, ...pins.samples], colour),
    [samples, colour, pins.samples.map(({ seq }) => seq).join()],
  );
  const wide = references === null ? "" : "wide";
  const mayPin = !isFile && workspace.value?.mayChange !== false;
  const card = (sample: PageSample) => (
    <SampleCard
      key={sample.seq}
      sample={sample}
      scale={scale}
      spaces={spaces}
      actions={
        isFile ? undefined : (
          <>
            <button
              type="button"
              aria-pressed={pins.has(sample)}
              disabled={!mayPin}
              title={
                mayPin
                  ? "pinned samples stay on top"
                  : "open the address that `ballast serve` printed: it has the token"
              }
              onClick={() => void pins.toggle(sample)}
            >
              {pins.has(sample) ? "◆ pinned" : "◇ pin"}
            </button>
            {prompt !== sample.seq && (
              <a href={hashOf(view.value.path, { ...view.value.query, ...noSearch, prompt: sample.seq })}>
                same prompt
              </a>
            )}
          </>
        )
      }
      beside={references === null ? undefined : <Reference {...{ sample, references, spaces }} />}
    />
  );
  return (
    <>
      <Legend scale={scale} />
      <Problem error={pins.error} />
      {known !== null && !asked && <NoReference runId={runId} />}
      {pins.samples.length > 0 && (
        <section class={`cards pinned ${wide}`} aria-label="pinned samples">
          <h2>◆ {pins.samples.length} pinned</h2>
          {ordered(pins.samples, state).map(card)}
        </section>
      )}
      <section class={`cards ${wide}`} aria-label="samples">
        <h2>{title}</h2>
        {rest.length === 0 && pins.samples.length === 0 ? none : rest.map(card)}
      </section>
      <Readout />
    </>
  );
}
