/** What the system's own errors mean to a user, by error code: a full disk, a missing permission, a port in use. */
import { BallastError, messageOf } from "./errors.ts";

interface Meaning {
  readonly what: string;
  /** What to do, in a sentence. */
  readonly remedy: string;
}

const full: Meaning = { what: "the disk is full", remedy: "Free some space, or name a folder on another disk." };
const failing: Meaning = {
  what: "the disk failed or is full",
  remedy: "Look at its free space and at the system's log.",
};
const forbidden: Meaning = {
  what: "permission is missing",
  remedy: "Give yourself the right to read and write there, or name another file or folder.",
};
const manyOpen: Meaning = {
  what: "too many files are open",
  remedy: "Raise the limit (ulimit -n), or end other programs.",
};
const held: Meaning = { what: "a different program holds it", remedy: "End that program, or wait for it." };
const memory: Meaning = {
  what: "there is not enough memory",
  remedy: "End other programs, or take a smaller model, batch (microBatch) or context.",
};
const notDatabase: Meaning = {
  what: "this is not a database",
  remedy: "Move that file away, or name another workspace.",
};
const locked: Meaning = {
  what: "another process holds the database",
  remedy: "Is a long query open in it? Close it, then do the same again.",
};
const noDatabase: Meaning = {
  what: "the database cannot be opened",
  remedy: "Check that its folder exists, that no folder has its name, and that you may write there.",
};

/** Meanings by errno name, and by SQLite's names without their extensions. */
const meanings: Readonly<Record<string, Meaning>> = {
  ...{ ENOSPC: full, EDQUOT: full, EIO: failing, EFBIG: full, EACCES: forbidden, EPERM: forbidden },
  EROFS: { what: "the disk can only be read", remedy: "Name a folder that can be written to." },
  ENAMETOOLONG: {
    what: "a name is too long for the system",
    remedy: "Most take 255 bytes a name: give a shorter one.",
  },
  ENOTDIR: {
    what: "there is a file where a folder should be",
    remedy: "Move that file away, or name another folder.",
  },
  EISDIR: { what: "there is a folder where a file should be", remedy: "Move that folder away, or name another file." },
  ENOENT: { what: "a file or folder is not there", remedy: "Was it moved or deleted? Check the path, or put it back." },
  EEXIST: { what: "something of this name is there already", remedy: "Move it away, or name another one." },
  ENOTEMPTY: { what: "the folder is not empty", remedy: "Look at what is in it, and move it away." },
  ELOOP: { what: "links lead in a circle", remedy: "Name the file or folder itself." },
  EXDEV: {
    what: "this would be a move to another disk",
    remedy: "Keep the folder on one disk: no links inside of it.",
  },
  ESTALE: { what: "a network drive has lost the file", remedy: "Connect it again, then do the same again." },
  ...{
    EMFILE: manyOpen,
    ENFILE: manyOpen,
    EBUSY: held,
    ETXTBSY: held,
    ENOMEM: memory,
    ERR_WORKER_OUT_OF_MEMORY: memory,
  },
  EAGAIN: {
    what: "the system has no process or thread left",
    remedy: "End other programs, or raise the limit (ulimit -u).",
  },
  EADDRINUSE: { what: "the address is in use", remedy: "Choose a different port with --port; 0 picks a free one." },
  EADDRNOTAVAIL: { what: "this machine does not have the address", remedy: "Choose one of its own with --host." },
  ENOTFOUND: { what: "the name is not known", remedy: "Check its spelling, and the network." },
  ECONNREFUSED: { what: "nobody listens there", remedy: "Check the address, and that the other program runs." },
  SQLITE_FULL: full,
  SQLITE_IOERR: failing,
  SQLITE_NOTADB: notDatabase,
  SQLITE_CORRUPT: {
    what: "the database is damaged",
    remedy: `Save what can be read with: sqlite3 ballast.db ".recover" | sqlite3 recovered.db`,
  },
  SQLITE_READONLY: forbidden,
  SQLITE_PERM: forbidden,
  SQLITE_CANTOPEN: noDatabase,
  SQLITE_NOMEM: memory,
  ...{ SQLITE_BUSY: locked, SQLITE_LOCKED: locked, SQLITE_PROTOCOL: locked },
};

/** The remedy for a system error, or for an error that one caused; undefined for any other error. */
export function remedyFor(error: unknown): string | undefined {
  return meaningOf(error)?.remedy;
}

/** A system error in words, with its remedy; null for any other error, which is a fault in Ballast. */
export function systemFault(error: unknown): BallastError | null {
  const meaning = meaningOf(error);
  if (meaning === null) return null;
  const { path, dest } = error as { path?: unknown; dest?: unknown };
  const paths = [path, dest].filter((one) => typeof one === "string" && one !== "");
  const place =
    paths.length === 0 || paths.some((one) => messageOf(error).includes(String(one))) ? "" : ` (${paths.join(", ")})`;
  return new BallastError(`${meaning.what}: ${messageOf(error)}${place}`, meaning.remedy, { cause: error });
}

/** SQLite's error numbers, which libsql reports instead of names if a file cannot be opened. */
const sqliteNumbers: Readonly<Record<number, string>> = {
  ...{ 5: "SQLITE_BUSY", 8: "SQLITE_READONLY", 10: "SQLITE_IOERR", 11: "SQLITE_CORRUPT" },
  ...{ 13: "SQLITE_FULL", 14: "SQLITE_CANTOPEN", 26: "SQLITE_NOTADB" },
};

function codeOf(error: { readonly code?: unknown; readonly message?: unknown }): unknown {
  const [, number] = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(String(error.message)) ?? [];
  // The lower byte of an extended code is the primary code.
  return number === undefined ? error.code : (sqliteNumbers[Number(number) & 0xff] ?? "SQLITE_CANTOPEN");
}

function meaningOf(error: unknown): Meaning | null {
  if (typeof error !== "object" || error === null) return null;
  const { cause } = error as { cause?: unknown };
  const code = codeOf(error);
  if (typeof code === "string") {
    const known = meanings[code] ?? meanings[/^SQLITE_[A-Z]+/.exec(code)?.[0] ?? ""];
    if (known !== undefined) return known;
  }
  return cause instanceof Error ? meaningOf(cause) : null;
}
