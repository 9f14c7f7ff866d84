/** Engines, which hold the weights, sample and take steps. `ballast/engine` is for users who write their own loop. */

export * from "./capabilities.ts";
export * from "./conformance/engine-conformance.ts";
export * from "./engine.ts";
export * from "./open-engine.ts";
