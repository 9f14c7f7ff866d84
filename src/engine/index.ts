/** Engines: what holds the weights, samples and takes steps. `ballast/engine` for those who write a loop of their own. */

export { createEmbeddedEngine as openEngine } from "./embedded/index.ts";
export * from "./engine.ts";
