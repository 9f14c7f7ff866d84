/** What raters say about responses. No code. */

interface Judgement {
  readonly prompt: string;
  /** The rater's name. */
  readonly rater: string;
}

/** A response rated on a scale from 1 (bad) to 5 (good). */
export interface Rating extends Judgement {
  readonly kind: "rating";
  readonly response: string;
  readonly score: number;
}

/** The preferred one of two responses to the same prompt. */
export interface Preference extends Judgement {
  readonly kind: "preference";
  readonly chosen: string;
  readonly rejected: string;
}

export type NewRating = Rating | Preference;

export type RatingRecord = NewRating & {
  readonly id: number;
  readonly runId: string;
  /** Time of the judgement, in Unix milliseconds. */
  readonly at: number;
  /** Who gave or imported it; null in records of earlier versions. */
  readonly operator: string | null;
};
