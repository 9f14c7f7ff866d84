/** The one error tree: every failure a user can meet, each with a remedy and the exit code it ends the process with. */

export class BallastError extends Error {
  /** What the user can do about it, in a sentence; printed under the message. The command line replaces it with its own words. */
  hint: string | undefined;
  readonly exitCode: number = 1;

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.hint = hint;
  }
}

/** A mistake in the command line or the configuration. */
export class UsageError extends BallastError {
  override readonly exitCode = 2;
}

/** A data file, or a row of one, that cannot be used. */
export class DataError extends BallastError {}

/** A graph that cannot be built. The message names the operation and the shapes. */
export class GraphError extends BallastError {}

/** The engine was asked for something it cannot do, or failed doing it. */
export class EngineError extends BallastError {}

/** A checkpoint that is missing, truncated or inconsistent. */
export class CheckpointError extends BallastError {}

/** The Hugging Face Hub could not be reached, refused, or sent other bytes than it promised. */
export class HubError extends BallastError {}

/** A failure of the workspace's database. */
export class StoreError extends BallastError {}

/** A reward function that threw, timed out or returned something that is not a finite number. */
export class RewardError extends BallastError {}

/** Training cannot go on, for example because a loss or gradient is not finite twice in a row. */
export class TrainingError extends BallastError {}

/** The controller stopped the run. */
export class StoppedByController extends BallastError {
  override readonly exitCode = 3;
}

/** The run goes back to an older checkpoint. Whoever runs it opens it again, as a new attempt. */
export class RolledBack extends BallastError {}

/** The user interrupted the run; its state is saved. */
export class Interrupted extends BallastError {
  override readonly exitCode = 130;
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
