/** The store's public names. */
export { isTransient } from "./connection.ts";
export { alreadyDecided, type IncidentQuery } from "./incident-rows.ts";
export type { Ends } from "./readlive.ts";
export { type RecorderOptions, StoreRecorder } from "./recorder.ts";
export type { Answered } from "./requests.ts";
export type { FoundSamples, SampleQuery } from "./sample-rows.ts";
export { type NewCommand, openStore, Store, type StoreOptions } from "./store.ts";
export type * from "./stored-rows.ts";
