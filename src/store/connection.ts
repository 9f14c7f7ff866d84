/** One connection to a workspace's database: pragmas, schema and version check, cached statements, transactions, errors. */
import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "libsql";
import { messageOf, StoreError } from "../util/errors.ts";
import { remedyFor } from "../util/system-faults.ts";
import { applicationId, migration, schema, schemaVersion } from "./database-schema.ts";

export type Parameter = number | string | Uint8Array | null;
type Statement = ReturnType<InstanceType<typeof Database>["prepare"]>;

/** How long a statement waits for another process's write before it gives up with SQLITE_BUSY, in milliseconds. */
const busyTimeout = 2_000;

export class Connection {
  readonly path: string;
  readonly readonly: boolean;
  readonly #database: InstanceType<typeof Database>;
  readonly #statements = new Map<string, Statement>();
  /** Identifies the file that was opened: no other file can have the same identity while this one is open. */
  readonly #file: string | null;
  #open = true;
  #writing = false;

  constructor(database: InstanceType<typeof Database>, { path, readonly }: { path: string; readonly: boolean }) {
    this.path = path;
    this.readonly = readonly;
    this.#database = database;
    this.#file = fileAt(path);
  }

  /** False if the file was removed or replaced: reads are then outdated, and writes are lost. */
  inPlace(): boolean {
    return fileAt(this.path) === this.#file;
  }

  /** @throws StoreError if the database was opened read-only. */
  checkWritable(): void {
    if (this.readonly) throw new StoreError(`${this.path} was opened read-only`);
  }

  /** Every row of a query. The query is always read to its end: a half-read statement would pin an old snapshot and hold up checkpoints. */
  all<Row>(sql: string, parameters: readonly Parameter[] = []): Row[] {
    return this.#guard(() => this.#statement(sql).all(parameters) as Row[]);
  }

  /** The first row of a query that returns at most one row. */
  get<Row>(sql: string, parameters: readonly Parameter[] = []): Row | undefined {
    return this.all<Row>(sql, parameters)[0];
  }

  /** Runs a statement that changes rows; returns the rowid of the last one inserted. */
  run(sql: string, parameters: readonly Parameter[] = []): number {
    return this.#guard(() => Number(this.#statement(sql).run(parameters).lastInsertRowid));
  }

  exec(sql: string): void {
    this.#guard(() => this.#database.exec(sql));
  }

  /**
   * Runs `body` in one transaction; rolls back if it throws. It takes the write lock first, so that rowids are in commit order. Inside a write
   * transaction it joins that one.
   */
  write<Result>(body: () => Result): Result {
    if (this.#writing) return body();
    return this.#transaction("BEGIN IMMEDIATE", () => {
      this.#writing = true;
      try {
        return body();
      } finally {
        this.#writing = false;
      }
    });
  }

  /** Runs `body`; when this returns, its commits and all earlier ones are on the disk, not just with the operating system. */
  flushed<Result>(body: () => Result): Result {
    this.exec("PRAGMA synchronous = FULL");
    try {
      return body();
    } finally {
      this.exec("PRAGMA synchronous = NORMAL");
    }
  }

  /** Runs `body` on one snapshot of the database. Keep it short: checkpoints wait for it. */
  read<Result>(body: () => Result): Result {
    return this.#database.inTransaction ? body() : this.#transaction("BEGIN", body);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#statements.clear();
    this.#database.close();
  }

  #transaction<Result>(begin: string, body: () => Result): Result {
    this.exec(begin);
    try {
      const result = body();
      this.exec("COMMIT");
      return result;
    } catch (error) {
      // A full disk may have rolled back already.
      if (this.#database.inTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<Result>(body: () => Result): Result {
    if (!this.#open) throw new StoreError(`${this.path} is closed`);
    try {
      return body();
    } catch (error) {
      throw storeError(this.path, error);
    }
  }
}

/**
 * Opens `path`, creating file and schema if they do not exist. A database of an older version gets the additions of the present one, even if
 * `readonly`; its rows stay as they are.
 *
 * @throws StoreError if the file is not a Ballast database, is of a newer version, or is missing and `readonly` is set.
 */
export function openConnection(path: string, options: { readonly?: boolean } = {}): Connection {
  const { readonly = false } = options;
  if (readonly && !existsSync(path))
    throw new StoreError(`no database at ${path}`, "Start a run in this workspace first, or name another workspace.");
  if (!existsSync(dirname(path)))
    throw new StoreError(`no folder ${dirname(path)} for the database`, "Create the workspace's folder first.");
  let database: InstanceType<typeof Database>;
  try {
    database = new Database(path, { timeout: busyTimeout });
  } catch (error) {
    throw storeError(path, error);
  }
  const connection = new Connection(database, { path, readonly });
  try {
    if (!readonly) setUp(connection);
    checkVersion(connection);
    migrate(connection);
    if (readonly) connection.exec("PRAGMA query_only = ON");
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function fileAt(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev} ${found.ino}`;
}

function setUp(connection: Connection): void {
  // Enough if the process dies, because the operating system has the pages. A power cut may lose the newest commits, never consistency.
  connection.exec("PRAGMA synchronous = NORMAL");
  connection.exec("PRAGMA cache_size = -16384");
  if (version(connection) > 0 || hasTables(connection)) return;
  switchToWal(connection);
  connection.write(() => {
    if (version(connection) > 0) return;
    connection.exec(schema);
    connection.exec(`PRAGMA application_id = ${applicationId}`);
    connection.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
}

/** Switches to WAL. Several processes may switch a new database at once, and SQLite's own timeout does not cover the lock that this takes. */
function switchToWal(connection: Connection): void {
  const deadline = performance.now() + busyTimeout;
  for (;;)
    try {
      connection.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (!codeOf(error).startsWith("SQLITE_BUSY") || performance.now() > deadline) throw error;
      pause();
    }
}

/** Waits 10 ms for a different process. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}

function hasTables(connection: Connection): boolean {
  return connection.get<{ n: number }>("SELECT count(*) AS n FROM sqlite_schema")!.n > 0;
}

function version(connection: Connection): number {
  return connection.get<{ user_version: number }>("PRAGMA user_version")!.user_version;
}

/** The version, waiting for a process that is currently creating this database; 0 if there is none. */
function awaitedVersion(connection: Connection): number {
  const deadline = performance.now() + busyTimeout;
  let found = version(connection);
  while (found === 0 && !hasTables(connection) && performance.now() < deadline) {
    pause();
    found = version(connection);
  }
  return found;
}

function checkVersion(connection: Connection): void {
  const found = awaitedVersion(connection);
  const id = connection.get<{ application_id: number }>("PRAGMA application_id")!.application_id;
  if (found === 0 && !hasTables(connection))
    throw new StoreError(`${connection.path} is empty`, "Start a run in this workspace first.");
  if (id !== applicationId)
    throw new StoreError(
      `${connection.path} is not a Ballast database`,
      "Move that file away, or name another workspace.",
    );
  if (found > schemaVersion)
    throw new StoreError(
      `${connection.path} has schema version ${found}; this Ballast reads up to ${schemaVersion}`,
      "A newer Ballast wrote it: upgrade this one, or use another workspace.",
    );
}

function migrate(connection: Connection): void {
  if (version(connection) === schemaVersion) return;
  connection.write(() => {
    // A different process may have been first.
    connection.exec(migration(version(connection)));
    connection.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
}

/** Whether a failed write may succeed later: no space, an I/O error, or a lock that a different process held too long. */
export function isTransient(error: unknown): boolean {
  return /^SQLITE_(FULL|IOERR|BUSY|LOCKED|CANTOPEN|READONLY|PROTOCOL|NOMEM)/.test(codeOf(error));
}

/** SQLite's name for an error; empty if the error is not SQLite's. */
function codeOf(error: unknown): string {
  const code = error instanceof StoreError ? (error.cause as { code?: unknown } | undefined)?.code : undefined;
  return typeof code === "string" ? code : "";
}

function storeError(path: string, error: unknown): StoreError {
  // libsql's message for a file that it cannot open names its own internals.
  const message = messageOf(error).replace(/^ConnectionFailed\(.*\)$/s, "unable to open database file");
  return new StoreError(`${path}: ${message}`, remedyFor(error), { cause: error });
}
