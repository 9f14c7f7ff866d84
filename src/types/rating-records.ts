/** What people say of responses. No code. */

interface Judgement {
  readonly prompt: string;
  /** Who said it. */
  readonly rater: string;
}

/** A response on a scale from 1, bad, to 5, good. */
export interface Rating extends Judgement {
  readonly kind: "rating";
  readonly response: string;
  readonly score: number;
}

/** One of two responses to the same prompt. */
export interface Preference extends Judgement {
  readonly kind: "preference";
  readonly chosen: string;
  readonly rejected: string;
}

export type NewRating = Rating | Preference;

export type RatingRecord = NewRating & {
  readonly id: number;
  readonly runId: string;
  /** Unix milliseconds. */
  readonly at: number;
};
