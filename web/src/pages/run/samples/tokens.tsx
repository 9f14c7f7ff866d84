/** A response token by token, coloured by one number; the pointer, a tap or the arrow keys select a token. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { PageSample } from "../../../../../src/types/page.ts";
import { beginning, exact } from "../../../components/exact.ts";
import { Fold, LongText, More } from "../../../components/long-text.tsx";
import { type Piece, piecesOf } from "./pieces.ts";
import { type Chosen, chosen } from "./readout.tsx";
import { levelClass, levelOf, numbersOf, type Scale } from "./scale.ts";

/** Pieces shown at first, and added with each click. */
const first = 400;
const more = 4_000;
const longestToken = 2_000;

export interface TokensProps {
  readonly sample: PageSample;
  readonly scale: Scale;
  readonly spaces: boolean;
}

export function Tokens({ sample, scale, spaces }: TokensProps) {
  const box = useRef<HTMLDivElement>(null);
  const length = useSignal(first);
  const pieces = useMemo(() => piecesOf(sample.response, sample.tokens), [sample]);
  const own = chosen.value?.sample.seq === sample.seq ? chosen.value.token : null;
  const idOf = (token: number) => `t${sample.seq}-${token}`;
  const shown = pieces.slice(0, length.value);

  // Hundreds of tokens are not rendered again as the pointer moves over them; the selected one is marked directly.
  const spans = useMemo(() => {
    const numbers = numbersOf(sample, scale.colour);
    return shown.map((piece) => <Token key={piece.token ?? "between"} {...{ piece, numbers, scale, spaces, idOf }} />);
  }, [sample, scale.colour, scale.bound, spaces, length.value]);
  useEffect(() => {
    const element = own === null ? null : document.getElementById(idOf(own));
    element?.setAttribute("aria-selected", "true");
    return () => element?.setAttribute("aria-selected", "false");
  }, [own, spans]);

  const choose = (token: number) => {
    chosen.value = { sample, token };
  };
  const step = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const last = shown.findLast(({ token }) => token !== null)?.token ?? 0;
    const end = { Home: 0, End: last }[event.key];
    if (by === undefined && end === undefined) return;
    event.preventDefault();
    const token = end ?? Math.max(0, Math.min(last, (own ?? -1) + by!));
    choose(token);
    document.getElementById(idOf(token))?.scrollIntoView({ block: "nearest" });
  };
  const left = pieces.length - shown.length;
  return (
    <div>
      <div
        ref={box}
        class="text tokens"
        dir="auto"
        role="listbox"
        aria-orientation="horizontal"
        aria-label={`response of sample ${sample.index}, by token`}
        aria-activedescendant={own === null ? undefined : idOf(own)}
        tabIndex={0}
        onKeyDown={step}
        onFocus={() => own === null && choose(0)}
        onPointerOver={(event) => withToken(event, choose)}
        onClick={(event) => withToken(event, choose)}
      >
        {spans}
      </div>
      {left > 0 && <More label="response" left={`${left} tokens`} onPress={() => (length.value += more)} />}
      {left === 0 && pieces.length > first && <Fold label="response" onPress={() => (length.value = first)} />}
    </div>
  );
}

function Token({
  piece: { text, token },
  numbers,
  scale,
  spaces,
  idOf,
}: {
  readonly piece: Piece;
  readonly numbers: readonly number[];
  readonly scale: Scale;
  readonly spaces: boolean;
  readonly idOf: (token: number) => string;
}) {
  if (token === null)
    return text.length > longestToken ? (
      <LongText text={text} spaces={spaces} label="response" />
    ) : (
      exact(text, { spaces })
    );
  return (
    <span
      id={idOf(token)}
      class={levelClass(levelOf(numbers[token] ?? Number.NaN, scale))}
      role="option"
      tabIndex={-1}
      aria-selected="false"
      data-token={token}
    >
      {text === "" ? "∅" : exact(beginning(text, longestToken), { spaces })}
    </span>
  );
}

function withToken(event: Event, then: (token: Chosen["token"]) => void): void {
  const token = (event.target as HTMLElement).dataset.token;
  if (token !== undefined) then(Number(token));
}
