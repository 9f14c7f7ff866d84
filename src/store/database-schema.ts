/** The tables and views of a workspace's database, and the version of its schema. */
import { stages } from "../types/records.ts";

/** The schema's version, stored in `PRAGMA user_version`. Raised with every change of the schema. */
export const schemaVersion = 6;

/** Identifies Ballast's databases, stored in `PRAGMA application_id`: "BLST". */
export const applicationId = 0x424c5354;

/** SQL for a stage's place in the order of stages. */
export const rank = (stage: string) =>
  `CASE ${stage} ${stages.map((name, i) => `WHEN '${name}' THEN ${i}`).join(" ")} END`;

/**
 * SQL for the first iteration of `row`'s stage that a newer attempt has superseded: NULL if there is none, -1 if the whole stage is superseded. `row`
 * is a table or alias with columns run_id, attempt and stage.
 */
export const supersededFrom = (row: string) =>
  `(SELECT min(CASE WHEN ${rank("later.stage")} < ${rank(`${row}.stage`)} THEN -1
      WHEN later.stage = ${row}.stage THEN later.iteration END)
    FROM attempts AS later WHERE later.run_id = ${row}.run_id AND later.attempt > ${row}.attempt)`;

/** SQL for a column `superseded`: 1 if a newer attempt has superseded this iteration, else 0. */
export const superseded = (row: string, iteration: string) =>
  `coalesce(${iteration} >= ${supersededFrom(row)}, 0) AS superseded`;

/** Events about the state before their iteration: an attempt that begins there continues from them. */
const beforeIteration = "e.kind IN ('checkpoint', 'interrupted')";

/** Additions of version 2: what the controller saw, incidents and operators' decisions on them, and the intervention behind a changed setting. */
const version2 = `
CREATE TABLE consultations (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  point TEXT NOT NULL,
  step INTEGER,
  signals TEXT NOT NULL
);
CREATE INDEX consultations_of_run ON consultations (run_id, seq);

CREATE TABLE incidents (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  rule TEXT NOT NULL,
  summary TEXT NOT NULL,
  evidence TEXT NOT NULL,
  opened_at INTEGER NOT NULL
);
CREATE INDEX incidents_of_run ON incidents (run_id, id);

CREATE TABLE decisions (
  incident_id INTEGER PRIMARY KEY REFERENCES incidents (id),
  action TEXT NOT NULL,
  "to" INTEGER,
  changes TEXT NOT NULL,
  reason TEXT NOT NULL,
  decided_at INTEGER NOT NULL
);

ALTER TABLE settings ADD COLUMN intervention INTEGER;

CREATE VIEW consultation_rows AS SELECT c.*, ${superseded("c", "c.iteration")} FROM consultations AS c;
`;

/** Additions of version 3: human judgements of responses. `response` is the rated or the preferred one. */
const version3 = `
CREATE TABLE ratings (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  rater TEXT NOT NULL,
  prompt TEXT NOT NULL,
  response TEXT NOT NULL,
  score INTEGER,
  rejected TEXT,
  at INTEGER NOT NULL
);
CREATE INDEX ratings_of_run ON ratings (run_id, id);
`;

/**
 * Additions of version 4: answers to the monitoring set, users' marks, requests that must not be done twice, and samples in the order of their score.
 * An answer's score that is NULL with flag 0 is absent.
 */
const version4 = `
CREATE TABLE answers (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  model TEXT NOT NULL,
  sample INTEGER NOT NULL,
  kind TEXT,
  prompt TEXT NOT NULL,
  response TEXT NOT NULL,
  score REAL,
  score_flag INTEGER NOT NULL,
  stop_reason TEXT NOT NULL,
  verdicts TEXT NOT NULL
);
CREATE INDEX answers_of_run ON answers (run_id, stage, iteration, attempt);

CREATE TABLE marks (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  present INTEGER NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX marks_of_run ON marks (run_id, kind, value, id);

CREATE TABLE requests (
  key TEXT PRIMARY KEY,
  hash TEXT NOT NULL,
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX samples_by_score ON samples (run_id, stage, score, iteration, attempt);

CREATE VIEW answer_rows AS SELECT a.*, ${superseded("a", "a.iteration")} FROM answers AS a;
`;

/**
 * Additions of version 5: each lever's configured value, and an operator's word, as separate columns. Earlier rows, which have both among their
 * signals, stay as they are (`earlier-consultations.ts`).
 */
const version5 = `
ALTER TABLE consultations ADD COLUMN base TEXT;
ALTER TABLE consultations ADD COLUMN word TEXT;
`;

/** Additions of version 6: the hash chain over each run's record (`sealing.ts`), who gave each order, and the machine of each attempt. */
const version6 = `
CREATE TABLE seals (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  contents TEXT NOT NULL,
  head TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX seals_of_run ON seals (run_id, seq);

ALTER TABLE attempts ADD COLUMN operator TEXT;
ALTER TABLE attempts ADD COLUMN machine TEXT;
ALTER TABLE commands ADD COLUMN operator TEXT;
ALTER TABLE decisions ADD COLUMN operator TEXT;
ALTER TABLE marks ADD COLUMN operator TEXT;
ALTER TABLE ratings ADD COLUMN operator TEXT;
`;

/** SQL that migrates a database of version `from` to the present version, except the version number itself. */
export function migration(from: number): string {
  return [version2, version3, version4, version5, version6].filter((_, i) => from < i + 2).join("");
}

/** The schema of a new database, built by the same steps as a migrated one. */
export const schema = `
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  objective TEXT NOT NULL,
  seed INTEGER NOT NULL,
  folder TEXT NOT NULL,
  config TEXT NOT NULL,
  machine TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE attempts (
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT,
  iteration INTEGER,
  started_at INTEGER NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  PRIMARY KEY (run_id, attempt)
) WITHOUT ROWID;

CREATE TABLE heartbeats (
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  interval_ms INTEGER NOT NULL,
  stage TEXT,
  iteration INTEGER,
  PRIMARY KEY (run_id, attempt)
) WITHOUT ROWID;

CREATE TABLE states (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  state TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX states_of_run ON states (run_id, attempt, seq);

CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  key TEXT NOT NULL,
  UNIQUE (run_id, stage, key, attempt)
);

CREATE TABLE metrics (
  seq INTEGER PRIMARY KEY,
  series INTEGER NOT NULL REFERENCES series (id),
  iteration INTEGER NOT NULL,
  value REAL,
  flag INTEGER NOT NULL
);

CREATE TABLE spans (
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (run_id, attempt, stage, iteration, first_seq)
) WITHOUT ROWID;

CREATE TABLE blocks (
  series INTEGER NOT NULL REFERENCES series (id),
  block INTEGER NOT NULL,
  present INTEGER NOT NULL,
  "values" BLOB NOT NULL,
  PRIMARY KEY (series, block)
) WITHOUT ROWID;

CREATE TABLE rollups (
  series INTEGER NOT NULL REFERENCES series (id),
  level INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  count INTEGER NOT NULL,
  non_finite INTEGER NOT NULL,
  min REAL,
  max REAL,
  sum REAL,
  last REAL,
  last_flag INTEGER NOT NULL,
  PRIMARY KEY (series, level, bucket)
) WITHOUT ROWID;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  kind TEXT NOT NULL,
  message TEXT NOT NULL,
  data TEXT,
  at INTEGER NOT NULL
);
CREATE INDEX events_of_run ON events (run_id, seq);

CREATE TABLE settings (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  key TEXT NOT NULL,
  before TEXT NOT NULL,
  value TEXT NOT NULL,
  cause TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX settings_of_run ON settings (run_id, seq);

CREATE TABLE samples (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  sample INTEGER NOT NULL,
  reason TEXT NOT NULL,
  prompt TEXT NOT NULL,
  response TEXT NOT NULL,
  score REAL,
  score_flag INTEGER NOT NULL,
  kl REAL,
  kl_flag INTEGER NOT NULL,
  stop_reason TEXT NOT NULL,
  components TEXT NOT NULL,
  tokens TEXT NOT NULL,
  logprobs BLOB NOT NULL,
  ref_logprobs BLOB NOT NULL,
  "values" BLOB NOT NULL,
  advantages BLOB NOT NULL
);
CREATE INDEX samples_of_run ON samples (run_id, stage, iteration, attempt);

CREATE TABLE commands (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX commands_of_run ON commands (run_id, id);

CREATE TABLE applications (
  seq INTEGER PRIMARY KEY,
  command_id INTEGER NOT NULL REFERENCES commands (id),
  run_id TEXT NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  stage TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX applications_of_command ON applications (command_id, seq);
CREATE INDEX applications_of_run ON applications (run_id, stage, iteration);

CREATE VIEW metric_rows AS
  SELECT m.seq, p.run_id, p.attempt, p.stage, p.iteration, s.key, m.value, m.flag, p.at, ${superseded("p", "p.iteration")}
  FROM spans AS p CROSS JOIN metrics AS m ON m.seq BETWEEN p.first_seq AND p.last_seq
  CROSS JOIN series AS s ON s.id = m.series;
CREATE VIEW event_rows AS SELECT e.*, ${superseded("e", `e.iteration - (${beforeIteration})`)} FROM events AS e;
CREATE VIEW setting_rows AS SELECT s.*, ${superseded("s", "s.iteration")} FROM settings AS s;
CREATE VIEW sample_rows AS SELECT s.*, ${superseded("s", "s.iteration")} FROM samples AS s;
${migration(1)}`;
