/** The diagnosis: from symptoms in a run's history to causes. */
export { type Diagnosis, type DiagnosisInput, likelihood, type SampleSeen, type Symptom, symptoms } from "./cause.ts";
export { type CauseId, causes } from "./causes.ts";
export { diagnose } from "./diagnose.ts";
export { iterationsDone, type Point, type RunHistory } from "./diagnosis-history.ts";
