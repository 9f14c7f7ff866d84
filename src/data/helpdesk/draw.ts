/** Drawing requests and pairs of replies at random from the kinds. */
import { barePrompt, type Message } from "../../text/index.ts";
import type { Random } from "../../util/random.ts";
import { type Case, fill, type RequestKind, type Split } from "./kind.ts";

export interface Request {
  readonly kind: RequestKind;
  readonly subject: Case;
  readonly prompt: Message[];
}

/** A user message: the case put into a phrasing. */
export function promptOf(phrasing: string, subject: Case): Message[] {
  return barePrompt(fill(phrasing, subject.slots));
}

/** A request of the first kind with probability `firstShare`, else one of the other kinds, all equally likely. */
export function drawRequest(
  kinds: readonly RequestKind[],
  { split, firstShare }: { split: Split; firstShare: number },
  draw: Random,
): Request {
  const kind = draw.uniform() < firstShare ? kinds[0]! : draw.pick(kinds.slice(1));
  const subject = draw.pick(kind.cases[split]);
  return { kind, subject, prompt: promptOf(draw.pick(kind.phrasings[split]), subject) };
}

/**
 * A reply that is worse than `chosen`: mostly with the kind's own bad manners or slips, one time in four an odd one, so that a reward model
 * learns more than the difference between two manners.
 */
export function drawRejected(
  kinds: readonly RequestKind[],
  { kind, subject, chosen }: { kind: RequestKind; subject: Case; chosen: string },
  draw: Random,
): string {
  for (;;) {
    const rejected =
      draw.uniform() < 1 / 4
        ? oddReply(kinds, kind, chosen, draw)
        : draw.uniform() < kind.slipShare
          ? kind.slip(chosen, subject, draw)
          : kind.bad(subject, draw);
    if (!kind.check(subject.reference, rejected)) return rejected;
  }
}

/**
 * An answer to a different kind of request, the chosen reply cut short or said twice, or its beginning with the end of a different reply:
 * what a policy tries when it looks for weaknesses in a reward model.
 */
function oddReply(kinds: readonly RequestKind[], kind: RequestKind, chosen: string, draw: Random): string {
  const words = chosen.split(" ");
  const middle = Math.max(1, Math.floor(words.length / 2));
  const other = () => {
    const { good, bad, cases } = draw.pick(kinds);
    return (draw.uniform() < 0.5 ? good : bad)(draw.pick(cases.train), draw);
  };
  switch (draw.integer(6)) {
    case 0:
      return words.slice(0, middle).join(" ");
    case 1:
      return `${chosen} ${chosen}`;
    case 2:
    case 3: {
      const end = other().split(" ");
      return [...words.slice(0, middle), ...end.slice(Math.floor(end.length / 2))].join(" ");
    }
    default: {
      const { good, cases } = draw.pick(kinds.filter((candidate) => candidate !== kind));
      return good(draw.pick(cases.train), draw);
    }
  }
}
