/** Who is told what: webhooks for what the stability controller does, and reports. */
export { type Hook, hooksOf } from "./hooks.ts";
export { Notifier } from "./notifier.ts";
export type { EventNotice, Notice, ReportNotice, RunFacts } from "./payload.ts";
export { type ControlData, tierReader } from "./tier.ts";
export { watchEvents } from "./watch.ts";
