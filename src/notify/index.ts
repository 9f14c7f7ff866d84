/** Notifications: webhooks for what the stability controller does, and reports. */

export { parseDuration } from "./duration.ts";
export { type Hook, hooksOf } from "./hooks.ts";
export { Notifier } from "./notifier.ts";
export { type Block, changeRows, reportBlocks, reportTitle } from "./report-blocks.ts";
export { type Report, reportOf } from "./report-data.ts";
export { reportNotice, sendNow } from "./report-notice.ts";
export { htmlOf, markdownOf } from "./report-text.ts";
export { watchEvents } from "./watch.ts";
