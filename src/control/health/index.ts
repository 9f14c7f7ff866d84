/** Health each iteration, and what a collapse is. */
export { collapsed, type GoldPoint } from "./collapse.ts";
export { type Health, health, healthLengths, healthMetrics } from "./health.ts";
export { type Gauge, gauges, type Part, parts } from "./parts.ts";
