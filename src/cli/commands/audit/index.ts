/** `ballast audit`: one bundle of everything that decides what a run's model is, and a check that the record is as it was written. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { sha256OfText } from "../../../config/run-manifest.ts";
import { findRun } from "../../../inspect/places.ts";
import { htmlOf } from "../../../notify/index.ts";
import { operatorName } from "../../../operator/operator-name.ts";
import { databaseOf, openStore } from "../../../store/index.ts";
import { BallastError, messageOf, UsageError } from "../../../util/errors.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { writeExport } from "../../export-file.ts";
import { naming } from "../../find-run.ts";
import { jsonLine } from "../../json-line.ts";
import { shortPath } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";
import { auditBlocks, auditTitle, recordSentences, replaySentence } from "./audit-blocks.ts";
import { auditOf, checkRecord, faultsOf } from "./audit-data.ts";

export interface AuditOptions {
  /** A run's id or folder. */
  readonly run: string;
  /** Only check: write nothing. */
  readonly verify?: boolean;
  /** A head that was noted before, or an audit.json that holds one. */
  readonly head?: string;
  /** The folder to write to; default: `audit` in the run's folder. */
  readonly output?: string;
  /** Who audits; default: the login name. */
  readonly as?: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Returns 0 if the record, the files and the heads fit each other, else 1. */
export async function audit(options: AuditOptions): Promise<number> {
  const { workspace, verify = false, json = false, terminal } = options;
  const by = operatorName(options.as);
  const place = findRun(options.run, workspace);
  const noted = options.head === undefined ? null : notedHead(options.head);
  const output = resolve(options.output ?? join(place.folder, "audit"));
  const store = openStore(databaseOf(place.workspace), { readonly: true });
  try {
    const made = verify ? null : await auditOf(store, place, { by, now: Date.now() });
    const check = made ?? (await checkRecord(store, place));
    const sealedAt = noted === null ? null : store.sealedAt(place.id, noted);
    const faults = [
      ...faultsOf(check),
      ...(noted !== null && sealedAt === null
        ? [
            `the chain lacks the head ${noted}: the record was rewritten or cut off since it was noted, or it is of a different run`,
          ]
        : []),
    ];
    const files: Record<string, string> = {};
    if (made !== null) {
      const texts = {
        "audit.json": `${jsonLine(made)}\n`,
        "audit.html": htmlOf(auditBlocks(made), { title: auditTitle(made) }),
      };
      makeFolder(output);
      for (const [name, text] of Object.entries(texts)) {
        writeExport(join(output, name), text);
        files[join(output, name)] = sha256OfText(text);
      }
    }
    const { record, folders } = check;
    if (json) {
      const { faults: _, faultCount: __, ...chain } = record;
      const replay = made === null ? {} : { replay: made.replay };
      terminal.out(jsonLine({ run: place.id, fits: faults.length === 0, faults, ...chain, ...replay, files }));
    } else {
      const say = (text: string) => {
        for (const line of wrap(printableLine(text), terminal.outWidth())) terminal.out(line);
      };
      for (const sentence of recordSentences({ faults, record, folders })) say(sentence);
      if (sealedAt !== null) say(`The head that you noted was sealed ${new Date(sealedAt).toISOString()}.`);
      for (const fault of faults) say(`- ${fault}`);
      if (made !== null) say(replaySentence(made.replay));
      for (const [path, hash] of Object.entries(files)) say(`${shortPath(path)}: SHA-256 ${hash}`);
      if (record.head !== null && faults.length === 0)
        say("Keep the head where those who can write to the database cannot.");
    }
    return faults.length === 0 ? 0 : 1;
  } catch (error) {
    throw naming(error, place);
  } finally {
    store.close();
  }
}

function notedHead(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  if (existsSync(text))
    try {
      const head = (JSON.parse(readFileSync(text, "utf8")) as { record?: { head?: unknown } }).record?.head;
      if (typeof head === "string") return head;
    } catch {
      // Reported as what it is not.
    }
  throw new UsageError(
    `--head ${text}: neither a head nor an audit.json that holds one`,
    "A head has 64 hexadecimal digits: `ballast audit` prints it.",
  );
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new BallastError(`cannot make the folder ${folder}: ${messageOf(error)}`, "Name a different one: --output.");
  }
}
