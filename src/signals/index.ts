/** What is measured of a rollout and its update: the metrics of docs/metrics.md as pure functions of recorded numbers. */

export * from "./gold-signals.ts";
export * from "./iteration-record.ts";
export * from "./layer-signals.ts";
export * from "./noise-signals.ts";
export * from "./robustness-signals.ts";
export * from "./rollout-signals.ts";
export * from "./signal-values.ts";
export * from "./similarity-signals.ts";
export { stronglyNegativeErrors, stronglyNegativeShare } from "./update-signals.ts";
