/** Pinned samples: written to the store, shown at once. */
import { useSignal } from "@preact/signals";
import type { NewMark, PageSample, SamplesAnswer } from "../../../../../src/types/page.ts";
import { type ApiError, isFile, post } from "../../../api.ts";
import { useAnswer } from "../../../state/use-answer.ts";

export interface Pins {
  readonly samples: readonly PageSample[];
  readonly error: ApiError | null;
  readonly has: (sample: PageSample) => boolean;
  readonly toggle: (sample: PageSample) => Promise<void>;
}

export function usePins(runId: string): Pins {
  const base = `/api/runs/${encodeURIComponent(runId)}`;
  const asked = useAnswer<SamplesAnswer>(isFile ? null : `${base}/samples`, { stage: "ppo", filter: "pinned" });
  // Changes since the last answer, by seq.
  const pressed = useSignal<ReadonlyMap<number, PageSample | null>>(new Map());
  const failed = useSignal<ApiError | null>(null);
  const known = asked.answer?.samples ?? [];
  const added = [...pressed.value.values()].filter((one) => one !== null);
  const samples = [...added, ...known.filter(({ seq }) => !pressed.value.has(seq))];
  const has = ({ seq }: PageSample) => samples.some((one) => one.seq === seq);
  const toggle = async (sample: PageSample) => {
    const before = pressed.peek();
    const present = !has(sample);
    pressed.value = new Map(before).set(sample.seq, present ? sample : null);
    try {
      const mark: NewMark = { kind: "pin", value: String(sample.seq), present };
      await post(`${base}/marks`, mark);
      failed.value = null;
    } catch (error) {
      const after = new Map(pressed.peek());
      if (before.has(sample.seq)) after.set(sample.seq, before.get(sample.seq)!);
      else after.delete(sample.seq);
      pressed.value = after;
      failed.value = error as ApiError;
    }
  };
  return { samples, error: failed.value, has, toggle };
}
