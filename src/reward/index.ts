/** The reward: learned, by rule, by verifier, by a user's function; composed, normalised, and checked for safety. */
export { createReward, inputOf, learnedComponents, type RewardPipeline } from "./compose.ts";
export type { FunctionInput } from "./function-protocol.ts";
export { checkFunction, FunctionRunner } from "./function-runner.ts";
export { type FunctionScale, type FunctionScales, scaleWords } from "./function-scale.ts";
export { openJudge } from "./judge.ts";
export { type LearnedModel, learnedScores } from "./learned.ts";
export {
  computeNormalisation,
  type Normalisation,
  normalise,
  readNormalisation,
  writeNormalisation,
} from "./normalisation.ts";
export type { Scored, Scores } from "./reward-types.ts";
export { checkReferences, exact, lastNumber, pattern } from "./rule-rewards.ts";
