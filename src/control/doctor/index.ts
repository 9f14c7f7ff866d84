/** The doctor: findings on a configuration, and the checklist of a run as it goes. */
export * from "./checklist.ts";
export { type Corner, corners } from "./corners.ts";
export { examine, type Judged, objectiveFinding, unexplained } from "./doctor.ts";
export { experimentStages } from "./experiment.ts";
export type {
  DoctorFacts,
  ExperimentFacts,
  ModelFacts,
  PolicySpread,
  PpoFacts,
  PromptFacts,
  RewardFacts,
  RewardGrain,
  StopFacts,
} from "./facts.ts";
export {
  type Finding,
  type FindingId,
  findingIds,
  findingMessage,
  parametersInWords,
  type Severity,
} from "./finding.ts";
export { overlap } from "./overlap.ts";
export { ppoFacts } from "./ppo-facts.ts";
export { evaluationFindings } from "./prompt-findings.ts";
export { rewardFindings } from "./reward-findings.ts";
export { type RateBand, rateBand } from "./scale-findings.ts";
