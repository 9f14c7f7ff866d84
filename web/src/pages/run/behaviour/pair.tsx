/** Two answers to one prompt: the words that differ, each side's score and verdicts. */
import { useMemo } from "preact/hooks";
import { figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { AnswerPair, PageSaid } from "../../../../../src/types/page.ts";
import { exact } from "../../../components/exact.ts";
import { LongText } from "../../../components/long-text.tsx";
import { figure, visible } from "../../../format.ts";
import { flipsOf, isChanged } from "./flips.ts";
import { type Span, wordDiff } from "./word-diff.ts";

export interface PairProps {
  readonly pair: AnswerPair;
  /** The names of the sides. */
  readonly sides: readonly [string, string];
}

export function Pair({ pair, sides }: PairProps) {
  const { index, kind, prompt, a, b } = pair;
  const changed = isChanged(pair);
  const diff = useMemo(
    () => (changed && a !== null && b !== null ? wordDiff(a.response, b.response) : null),
    [a?.response, b?.response],
  );
  const flips = flipsOf(pair);
  const onlySpaces = diff !== null && [...diff.a, ...diff.b].every((span) => !span.changed);
  return (
    <article class="pair" aria-label={`answer ${index}`}>
      <header>
        <span class="quiet">
          #{index} {kind !== null && visible(kind)}
        </span>
        <LongText text={prompt} label="prompt" />
        <span class="flips">
          {flips.right.map((name) => (
            <span key={name} class="tag good">
              ✗→✓ {visible(figureTitle(name))}
            </span>
          ))}
          {flips.wrong.map((name) => (
            <span key={name} class="tag bad">
              ✓→✗ {visible(figureTitle(name))}
            </span>
          ))}
          {!changed && <span class="quiet">= the same</span>}
          {onlySpaces && <span class="quiet">differs only in white space</span>}
          {diff?.whole && <span class="quiet">too long to compare word by word</span>}
        </span>
      </header>
      <div class="sides">
        <Side name={sides[0]} said={a} spans={diff?.a ?? null} tag="del" />
        <Side name={sides[1]} said={b} spans={diff?.b ?? null} tag="ins" />
      </div>
    </article>
  );
}

interface SideProps {
  readonly name: string;
  readonly said: PageSaid | null;
  readonly spans: readonly Span[] | null;
  readonly tag: "del" | "ins";
}

/** Longest text, in characters, whose differences are shown at once; longer ones are folded without them. */
const longest = 8_000;

function Side({ name, said, spans, tag: Changed }: SideProps) {
  return (
    <div class="side">
      <p class="quiet label">
        {name}
        {said !== null && said.score !== null && <> · score {figure(said.score, 3)}</>}
        {said !== null &&
          Object.entries(said.verdicts).map(([check, passes]) => (
            <span key={check} class={passes ? "good" : "bad"}>
              {" "}
              {passes ? "✓" : "✗"} {visible(figureTitle(check))}
            </span>
          ))}
      </p>
      {said === null ? (
        <p class="quiet">no answer</p>
      ) : spans === null || said.response.length > longest ? (
        <LongText text={said.response} label="answer" />
      ) : (
        <div class="text" dir="auto">
          {spans.map(({ text, changed }, i) => (changed ? <Changed key={i}>{exact(text)}</Changed> : exact(text)))}
        </div>
      )}
    </div>
  );
}
