/** Log-probabilities and entropy of a categorical distribution given by logits (docs/PPO.md rows 1 and 11). */

/** log softmax(logits / temperature) over V logits, in nats. */
export function logSoftmax(logits_V: readonly number[], temperature = 1): number[] {
  const scaled_V = logits_V.map((z) => z / temperature);
  const logSum = logSumExp(scaled_V);
  return scaled_V.map((z) => z - logSum);
}

/** Log-probability of one token at a temperature, in nats. Errors: RangeError for a token outside the vocabulary. */
export function tokenLogprob(logits_V: readonly number[], token: number, temperature = 1): number {
  if (!(token in logits_V)) throw new RangeError(`token ${token} is outside a vocabulary of ${logits_V.length}`);
  return logSoftmax(logits_V, temperature)[token]!;
}

/** The entropy, logsumexp(z) - sum softmax(z) z over z = logits / temperature, in nats (docs/PPO.md row 11). */
export function entropyOfLogits(logits_V: readonly number[], temperature = 1): number {
  const scaled_V = logits_V.map((z) => z / temperature);
  const logSum = logSumExp(scaled_V);
  let expected = 0;
  // A logit of -Infinity has probability 0 and adds nothing; 0 * -Infinity would be NaN.
  for (const z of scaled_V) if (z !== -Infinity) expected += Math.exp(z - logSum) * z;
  return logSum - expected;
}

/** log sum exp, stable for large inputs. */
export function logSumExp(values: readonly number[]): number {
  let max = -Infinity;
  for (const value of values) max = Math.max(max, value);
  if (!Number.isFinite(max)) return max;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - max);
  return max + Math.log(sum);
}
