/** What a rater is asked: responses of a run's stored samples, one by one or two to the same prompt. */
import type { SampleRow } from "../store/index.ts";
import type { RatingRecord } from "../types/rating-records.ts";
import { UsageError } from "../util/errors.ts";
import { random } from "../util/random.ts";

export interface Question {
  readonly prompt: string;
  /** One response to rate, or two to choose from. */
  readonly responses: readonly string[];
}

/** Why there is no question. */
export function nothingToAsk(samples: readonly SampleRow[], pairs: boolean): UsageError {
  if (samples.length === 0)
    return new UsageError("the run has no stored samples", "PPO stores some each iteration: ppo.storedSamples.");
  return pairs
    ? new UsageError(
        "no prompt is left that has two different responses among the stored samples",
        "Rate them one by one, without --pairs; or store more samples in the next run: ppo.storedSamples.",
      )
    : new UsageError("every stored sample is rated", "Someone else can rate them: --rater NAME.");
}

/** The questions that this rater has not answered, in an order that depends only on what was asked before. */
export function questionsOf(
  samples: readonly SampleRow[],
  { before, rater, pairs }: { before: readonly RatingRecord[]; rater: string; pairs: boolean },
): Question[] {
  const own = before.filter((rating) => rating.rater === rater);
  const stream = random(own.length, "rate", rater, pairs ? "pairs" : "single");
  const byPrompt = new Map<string, Set<string>>();
  for (const { prompt, response } of samples) byPrompt.set(prompt, (byPrompt.get(prompt) ?? new Set()).add(response));
  const key = (prompt: string, ...responses: string[]) => JSON.stringify([prompt, ...responses.sort()]);
  const answered = new Set(
    own.map((rating) =>
      rating.kind === "rating"
        ? key(rating.prompt, rating.response)
        : key(rating.prompt, rating.chosen, rating.rejected),
    ),
  );
  const questions = [...byPrompt].flatMap(([prompt, found]): Question[] => {
    const responses = stream.shuffle([...found]);
    if (!pairs) return responses.map((response) => ({ prompt, responses: [response] }));
    // Neighbours in a shuffled list: no response is in more than one pair of this round.
    return responses.flatMap((response, i) =>
      i % 2 === 1 ? [{ prompt, responses: [responses[i - 1]!, response] }] : [],
    );
  });
  return stream.shuffle(questions.filter(({ prompt, responses }) => !answered.has(key(prompt, ...responses))));
}
