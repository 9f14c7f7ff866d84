/** The numbers of the token under the pointer or the focus, at the bottom of the page where they are easy to find. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { PageSample } from "../../../../../src/types/page.ts";
import { beginning, exact } from "../../../components/exact.ts";
import { figure } from "../../../format.ts";
import { numbersOf } from "./scale.ts";

export interface Chosen {
  readonly sample: PageSample;
  readonly token: number;
}

/** The selected token; one per page, in whichever card it is. */
export const chosen = signal<Chosen | null>(null);

export function Readout() {
  useEffect(
    () => () => {
      chosen.value = null;
    },
    [],
  );
  return (
    <output class="readout" aria-live="polite">
      {chosen.value === null ? (
        <span class="quiet">
          Point at a token, tap it, or tab to a response and go along it (← →): its numbers appear here.
        </span>
      ) : (
        <Numbers {...chosen.value} />
      )}
    </output>
  );
}

function Numbers({ sample, token }: Chosen) {
  const at = (numbers: readonly unknown[]) => figure(Number(numbers[token] ?? Number.NaN), 3);
  const says = [
    ["log p", at(sample.logprobs)],
    ["reference", at(sample.refLogprobs)],
    ["KL", at(numbersOf(sample, "kl"))],
    ["advantage", at(sample.advantages)],
    // Without a critic there are no values.
    ...(sample.values.length > 0 ? [["value", at(sample.values)]] : []),
  ];
  return (
    <>
      <span class="readout-token">
        <code>{exact(beginning(sample.tokens[token] ?? "", 40), { spaces: true })}</code>{" "}
        <span class="quiet">
          {token + 1} of {sample.tokens.length}
        </span>
      </span>
      {says.map(([name, value]) => (
        <span key={name}>
          <span class="quiet">{name}</span> <b>{value}</b>
        </span>
      ))}
    </>
  );
}
