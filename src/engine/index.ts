/** Engines: what holds the weights, samples and takes steps. `ballast/engine` for those who write a loop of their own. */

export * from "./capabilities.ts";
export * from "./conformance/engine-conformance.ts";
export * from "./engine.ts";
export * from "./open-engine.ts";
