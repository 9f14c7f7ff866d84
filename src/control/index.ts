/** The stability controller: rules, what they order, health, diagnosis, and replay over recorded signals. Pure. */

export * from "./consult.ts";
export * from "./decisions.ts";
export * from "./diagnosis/index.ts";
export * from "./doctor/index.ts";
export * from "./health/index.ts";
export * from "./observed.ts";
export * from "./orders.ts";
export * from "./replay-rules.ts";
export * from "./rules/load-rules.ts";
export * from "./rules/rule.ts";
export * from "./state.ts";
