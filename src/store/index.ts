/** The store's public names. */
export type { ChainCheck } from "./chain.ts";
export type { NewCommand } from "./command-rows.ts";
export { isTransient } from "./connection.ts";
export type { Ends } from "./following.ts";
export { alreadyDecided, type IncidentQuery } from "./incident-rows.ts";
export { type RecorderOptions, StoreRecorder } from "./recorder.ts";
export type { Answered } from "./requests.ts";
export type { FoundSamples, SampleQuery } from "./sample-rows.ts";
export { createStore, databaseOf, openStore, type Store, type StoreOptions, withStore } from "./store.ts";
export type * from "./stored-rows.ts";
