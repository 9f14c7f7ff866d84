/** Drawing requests and pairs of replies at random from the kinds. */
import type { Message } from "../../text/index.ts";
import type { Random } from "../../util/random.ts";
import { type Case, fill, type RequestKind, type Split } from "./kind.ts";

export interface Request {
  readonly kind: RequestKind;
  readonly subject: Case;
  readonly prompt: Message[];
}

/** A user's message: the case in a phrasing. */
export function promptOf(phrasing: string, subject: Case): Message[] {
  return [{ role: "user", content: fill(phrasing, subject.slots) }];
}

/** A request of the first kind with probability `firstShare`, else of one of the others, all alike. */
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
 * A reply that is worse than `chosen`: mostly the kind's own bad manners and slips, one time in six an odd one, so that
 * a reward model learns more than what sets two manners apart.
 */
export function drawRejected(
  kinds: readonly RequestKind[],
  { kind, subject, chosen }: { kind: RequestKind; subject: Case; chosen: string },
  draw: Random,
): string {
  for (;;) {
    const rejected =
      draw.uniform() < 1 / 6
        ? oddReply(kinds, kind, chosen, draw)
        : draw.uniform() < kind.slipShare
          ? kind.slip(chosen, subject, draw)
          : kind.bad(subject, draw);
    if (!kind.check(subject.reference, rejected)) return rejected;
  }
}

/** An answer to another kind of request, the chosen reply cut short, or said twice. */
function oddReply(kinds: readonly RequestKind[], kind: RequestKind, chosen: string, draw: Random): string {
  const words = chosen.split(" ");
  switch (draw.integer(4)) {
    case 0:
      return words.slice(0, Math.max(1, Math.floor(words.length / 2))).join(" ");
    case 1:
      return `${chosen} ${chosen}`;
    default: {
      const other = draw.pick(kinds.filter((candidate) => candidate !== kind));
      return other.good(draw.pick(other.cases.train), draw);
    }
  }
}
