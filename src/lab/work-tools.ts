/** What a cell's process gives to the work that it does. */
import type { Progress } from "../trainer/run-types.ts";

/** What a piece of work may use besides its input. */
export interface Tools {
  /** The experiment's workspace. */
  readonly folder: string;
  /** The cell's name. */
  readonly name: string;
  /** The results of the cells that it needs, by their names. */
  readonly results: Readonly<Record<string, unknown>>;
  readonly onProgress: (progress: Progress) => void;
  readonly onNote: (text: string) => void;
  readonly interrupted: () => boolean;
}
