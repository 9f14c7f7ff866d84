/** The arithmetic of online training on plain arrays, in float64. The losses are in objectives/. */

export * from "./adamw.ts";
export * from "./aggregate.ts";
export * from "./clip-phases.ts";
export * from "./diversity.ts";
export * from "./explained-variance.ts";
export * from "./fingerprint.ts";
export * from "./gae.ts";
export * from "./group-baseline.ts";
export * from "./interval.ts";
export * from "./kl.ts";
export * from "./klcontroller.ts";
export * from "./logprob.ts";
export * from "./noise.ts";
export * from "./rewards.ts";
export * from "./row-statistics.ts";
export * from "./schedule.ts";
export * from "./signs.ts";
export * from "./slow-average.ts";
export * from "./statistics.ts";
export * from "./token-rows.ts";
export * from "./update-statistics.ts";
export * from "./whiten.ts";
