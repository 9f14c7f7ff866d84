/** A report as a notice for webhooks. */
import type { Hook } from "./hooks.ts";
import { payload, type ReportNotice } from "./payload.ts";
import { type Posted, post } from "./post.ts";
import { reportBlocks, reportTitle } from "./report-blocks.ts";
import type { Report } from "./report-data.ts";
import { markdownOf } from "./report-text.ts";

export function reportNotice(report: Report): ReportNotice {
  return {
    kind: "report",
    title: reportTitle(report),
    markdown: (options) => markdownOf(reportBlocks(report, options)),
  };
}

/** Sends the report to all webhooks at once and waits for each one's answer, in their order. */
export function sendNow(notice: ReportNotice, hooks: readonly Hook[]): Promise<Posted[]> {
  const { signal } = new AbortController();
  return Promise.all(hooks.map((hook) => post(hook, { body: payload(notice, hook), signal })));
}
