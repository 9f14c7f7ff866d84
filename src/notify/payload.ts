/** The bodies sent to webhooks: the record as JSON, or a text for Slack. Prompts and responses are included only on request. */
import { basename } from "node:path";
import type { IncidentRecord, Tier } from "../types/alerts.ts";
import type { EventRecord } from "../types/records.ts";
import { numbersAsWords } from "../util/json-values.ts";
import type { Hook } from "./hooks.ts";
import { slack } from "./text.ts";

export interface RunFacts {
  readonly id: string;
  readonly objective: string;
}

export interface EventNotice {
  readonly kind: "event";
  readonly run: RunFacts;
  readonly event: EventRecord;
  readonly tier: Tier;
  readonly incident: IncidentRecord | null;
}

export interface ReportNotice {
  readonly kind: "report";
  readonly title: string;
  /** The report as Markdown, with or without prompts and responses. */
  readonly markdown: (options: { readonly samples: boolean }) => string;
}

export type Notice = EventNotice | ReportNotice;

/** The tier of a notice; null: for every webhook. */
export function tierOf(notice: Notice): Tier | null {
  return notice.kind === "event" ? notice.tier : null;
}

/** Slack cuts messages at 40,000 characters. */
const longestText = 38_000;

/** The body of the request. */
export function payload(notice: Notice, { kind, samples }: Pick<Hook, "kind" | "samples">): string {
  const body = kind === "slack" ? { text: shortened(slackText(notice, samples)) } : jsonBody(notice, samples);
  return JSON.stringify(body, numbersAsWords);
}

function jsonBody(notice: Notice, samples: boolean): unknown {
  const head = { source: "ballast", format: 1 };
  if (notice.kind === "report")
    return { ...head, kind: "report", title: notice.title, markdown: notice.markdown({ samples }) };
  const { run, event, tier, incident } = notice;
  const { kind, stage, iteration, message, data } = event;
  return {
    ...head,
    ...{ kind, tier, run: run.id, objective: run.objective, stage, iteration, message },
    ...(data !== undefined && kind !== "incident" && { data }),
    ...(incident !== null && { incident: incidentBody(incident, samples) }),
  };
}

/** An incident without local folders: checkpoints appear by name. */
function incidentBody({ id, attempt, rule, summary, evidence, openedAt }: IncidentRecord, samples: boolean): unknown {
  const { worstSamples, checkpoints, ...rest } = evidence;
  const names = Object.fromEntries(
    Object.entries(checkpoints).map(([which, path]) => [which, path === null ? null : basename(path)]),
  );
  return {
    ...{ id, attempt, rule, summary, openedAt, show: `ballast incidents show ${id}` },
    evidence: { ...rest, checkpoints: names, ...(samples && { worstSamples }) },
  };
}

function slackText(notice: Notice, samples: boolean): string {
  if (notice.kind === "report") return slack(notice.markdown({ samples }));
  const { run, event, tier, incident } = notice;
  const worst = samples ? (incident?.evidence.worstSamples ?? []) : [];
  return [
    `*tier ${tier}*  run ${slack(run.id)}, ${event.stage} iteration ${event.iteration}`,
    slack(event.message),
    ...(run.objective === "" ? [] : [`objective: ${slack(run.objective)}`]),
    ...worst.flatMap(({ prompt, response, score }) => [`score ${score}`, block(prompt), block(response)]),
    ...(incident === null ? [] : [`\`ballast incidents show ${incident.id}\``]),
  ].join("\n");
}

function block(text: string): string {
  return `\`\`\`${slack(text.slice(0, 1_000)).replaceAll("`", "'")}\`\`\``;
}

function shortened(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText)}\n… shortened`;
}
