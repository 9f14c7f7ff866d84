/** The error of a critic against Monte Carlo values, without the noise of the latter. Pure. */
import { mean, variance } from "../../rl/index.ts";

/** A state: a prompt with the beginning of a response. */
export interface JudgedState {
  /** What the critic says of it, in units of the reward. */
  readonly value: number;
  /** The rewards that independent continuations from it earned. */
  readonly returns: readonly number[];
}

/**
 * Root mean square of value - true value over states. The mean of R returns is off by a variance of s^2 / R, s^2 the unbiased variance of the
 * returns, which is subtracted: E[(V - m)^2] = (V - mu)^2 + sigma^2 / R. If more is subtracted than there was, the error is 0. Every state needs
 * two returns at least.
 */
export function valueError(states: readonly JudgedState[]): number {
  const squares = states.map(
    ({ value, returns }) => (value - mean(returns)) ** 2 - variance(returns, { unbiased: true }) / returns.length,
  );
  return Math.sqrt(Math.max(0, mean(squares)));
}
