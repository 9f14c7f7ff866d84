/** An audit as headings, sentences and tables for readers. */
import { type Block, changeRows } from "../../../notify/index.ts";
import { counted } from "../../../util/counted.ts";
import type { FileRecords } from "../../../util/manifest.ts";
import type { Audit } from "./audit-data.ts";

export function auditBlocks(audit: Audit): Block[] {
  const { run, made, faults, record, replay } = audit;
  return [
    { kind: "heading", level: 1, text: auditTitle(audit) },
    paragraph(run.objective === "" ? "No objective was recorded." : `Objective: ${run.objective}`),
    paragraph(
      `Made ${made.at} by ${made.by} with Ballast ${made.ballast}, code ${made.code}. The run is ${run.state}; seed ${run.seed}.`,
    ),
    { kind: "heading", level: 2, text: "The record" },
    ...recordSentences(audit).map(paragraph),
    ...section(
      "What does not fit",
      ["fault"],
      faults.map((text) => [text]),
    ),
    ...section(
      "Sealed rows",
      ["table", "rows"],
      Object.entries(record.rows).map(([table, n]) => [table, String(n)]),
    ),
    { kind: "heading", level: 2, text: "What the controller decided, replayed" },
    paragraph(replaySentence(replay)),
    { kind: "heading", level: 2, text: "What can be reproduced" },
    ...audit.notReproducible.map(paragraph),
    { kind: "heading", level: 2, text: "Who did what" },
    ...section(
      "Attempts",
      ["attempt", "began", "operator", "host", "from"],
      audit.attempts.map(({ attempt, startedAt, operator, host, begins }) => [
        ...[String(attempt), time(startedAt), operator ?? "not recorded", host],
        begins === null ? "–" : `${begins.stage} ${begins.iteration}`,
      ]),
    ),
    ...section(
      "Commands",
      ["time", "operator", "command", "reason", "applied"],
      audit.commands.map(({ createdAt, operator, kind, payload, reason, appliedStage, appliedIteration }) => [
        ...[time(createdAt), operator ?? "not recorded", `${kind} ${Object.values(payload).join(" ")}`.trim(), reason],
        appliedStage === null ? "not yet" : `before ${appliedStage} ${appliedIteration}`,
      ]),
    ),
    ...section(
      "Incidents and decisions",
      ["incident", "iteration", "rule", "what happened", "decision", "operator", "time", "reason"],
      audit.incidents.map(({ id, iteration, rule, summary, decision }) => [
        ...[String(id), String(iteration), rule, summary],
        ...(decision === null
          ? ["open", "", "", ""]
          : [
              `${decision.action}${decision.to === null ? "" : ` to ${decision.to}`}`,
              ...[decision.operator ?? "not recorded", time(decision.decidedAt), decision.reason],
            ]),
      ]),
    ),
    ...section(
      "Marks",
      ["time", "operator", "mark", "value"],
      audit.marks.map(({ at, operator, kind, value }) => [...[time(at), operator ?? "not recorded", kind, value]]),
    ),
    ...section("Ratings", ["operator", "rater", "ratings"], ratingRows(audit)),
    { kind: "heading", level: 2, text: "What happened" },
    ...section(
      "Alerts, interventions and their outcomes",
      ["iteration", "attempt", "kind", "what"],
      audit.events.filter(({ kind }) => ["alert", "intervention", "outcome"].includes(kind)).map(eventRow),
    ),
    ...section(
      "Other events",
      ["place", "attempt", "kind", "what"],
      audit.events.filter(({ kind }) => !["alert", "intervention", "outcome", "note"].includes(kind)).map(eventRow),
    ),
    ...section("Settings", ["iteration", "setting", "before", "after", "cause"], changeRows(audit.settings)),
    { kind: "heading", level: 2, text: "What it was made of" },
    ...section("Machine", ["", ""], machineRows(audit)),
    ...section(
      "Data",
      ["rows of", "rows", "SHA-256 when the run began"],
      Object.entries(audit.data.recorded).map(([key, { rows, sha256 }]) => [key, String(rows), sha256]),
    ),
    ...(Array.isArray(audit.data.changes) ? audit.data.changes : []).map((text) => paragraph(`Changed since: ${text}`)),
    ...section("Models it started from", ["folder", "SHA-256 when the run began", "now"], modelRows(audit)),
    ...(audit.rewardCode === null ? [] : [paragraph(`Reward functions: SHA-256 ${audit.rewardCode}.`)]),
    ...audit.folders.flatMap(({ folder, files, difference, head }) => [
      ...section(folder === "." ? "The run's own files" : folder, ["file", "bytes", "SHA-256"], fileRows(files)),
      paragraph(
        `${difference === null ? "As written." : `Not as written: ${difference}.`}${head === null ? "" : ` The record's head was then ${head}.`}`,
      ),
    ]),
  ];
}

export function auditTitle({ run }: Audit): string {
  return `Audit of ${run.id}`;
}

/** What the check of the chain found, and the head. */
export function recordSentences({ faults, record, folders }: Pick<Audit, "faults" | "record" | "folders">): string[] {
  const { seals, head, from, before, rows } = record;
  if (head === null || from === null)
    return [
      "The record has no chain: a version before 0.4 wrote it. The hashes here say what it is now; whether it was changed before cannot be told.",
    ];
  const total = Object.values(rows).reduce((sum, n) => sum + n, 0);
  const earlier = Object.values(before).reduce((sum, n) => sum + n, 0);
  const noted = folders.filter((folder) => folder.head !== null);
  const found = noted.filter((folder) => folder.sealedAt !== null);
  return [
    `${faults.length === 0 ? "The record fits its chain" : "THE RECORD DOES NOT FIT"}: ${counted(seals, "seal")} over ${counted(total, "row")} since ${time(from)}.`,
    ...(earlier > 0
      ? [
          `${counted(earlier, "row")} from before then, written by an earlier version, ${earlier === 1 ? "is" : "are"} not covered.`,
        ]
      : []),
    ...(noted.length > 0
      ? [
          `${found.length} of ${counted(noted.length, "head")} in checkpoints and results ${found.length === 1 ? "is" : "are"} in the chain.`,
        ]
      : []),
    `Head: ${head}`,
  ];
}

export function replaySentence({ same, decided, why }: Audit["replay"]): string {
  if (same === null) return `Not replayed: ${why}.`;
  return same
    ? `Replayed on the record, the run's rules make the same ${counted(decided, "decision")}, to the last bit.`
    : `Replayed on the record, the run's rules do NOT make the same ${counted(decided, "decision")}: see ballast replay.`;
}

function paragraph(text: string): Block {
  return { kind: "paragraph", text };
}

function section(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): Block[] {
  return rows.length === 0
    ? []
    : [
        { kind: "heading", level: 3, text: title },
        { kind: "table", columns, rows },
      ];
}

function eventRow({ stage, iteration, attempt, kind, message, superseded }: Audit["events"][number]): string[] {
  return [`${stage} ${iteration}${superseded ? " (superseded)" : ""}`, String(attempt), kind, message];
}

function ratingRows({ ratings }: Audit): string[][] {
  const counts = new Map<string, number>();
  for (const { operator, rater } of ratings) {
    const key = JSON.stringify([operator ?? "not recorded", rater]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, n]) => [...(JSON.parse(key) as string[]), String(n)]);
}

function machineRows({ machine }: Audit): string[][] {
  const { versions, ...rest } = machine;
  return [...Object.entries(rest), ...Object.entries(versions ?? {})].map(([name, value]) => [name, String(value)]);
}

function modelRows({ models: { recorded, now } }: Audit): string[][] {
  const folders = [...new Set([...Object.keys(recorded ?? {}), ...Object.keys(now ?? {})])];
  return folders.map((folder) => [folder, recorded?.[folder] ?? "not recorded", now?.[folder] ?? "not there"]);
}

function fileRows(files: FileRecords): string[][] {
  return Object.entries(files).map(([name, { bytes, sha256 }]) => [name, String(bytes), sha256]);
}

function time(at: number): string {
  return new Date(at).toISOString();
}
