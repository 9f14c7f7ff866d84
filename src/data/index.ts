/** Data: rows from files or from the built-in task, their split, their order, their encoding. */

export { changeOfRows, fingerprintRows, type RowsFingerprint } from "./data-fingerprint.ts";
export { type DemonstrationOptions, encodeDemonstrations } from "./encode-demonstrations.ts";
export {
  createTally,
  describeTally,
  type EncodedPair,
  type EncodedSequence,
  encodePair,
  encodePairs,
  encodePrompt,
  encodeSft,
  type LongPrompts,
  type RowTally,
} from "./encode-rows.ts";
export { alsoTrainedOn, splitHeldOut } from "./heldout.ts";
export {
  helpdesk,
  helpdeskObjective,
} from "./helpdesk/task.ts";
export { fieldsOfRows } from "./named-fields.ts";
export { stepIndices } from "./order.ts";
export { perturb, perturbations } from "./perturb.ts";
export { pairsOf, type RatedResponse, ratedResponses, readRatings } from "./rating-file.ts";
export { createReport, describeLeftOut, type ReadReport } from "./read-report.ts";
export {
  eachRow,
  type PreferenceSource,
  readPreferenceRows,
  readPromptRows,
  readSftRows,
} from "./read-rows.ts";
export { looksLikeRefusal } from "./refusal.ts";
export { placesOf, RowsError, useAll } from "./row-faults.ts";
export { textsOfRow } from "./row-texts.ts";
export type { PreferenceRow, PromptRow, SftRow } from "./row-types.ts";
export { type Finding, guessUse, readsAs, type ShownRow, type Survey, type SurveyOptions, survey } from "./survey.ts";
