/** Deletes a run and everything it recorded from a workspace's database. */
import type { Connection } from "./connection.ts";
import { checkWritableRun } from "./stored-runs.ts";

const ofRun = [
  "commands",
  "samples",
  "answers",
  "ratings",
  "marks",
  "events",
  "settings",
  "consultations",
  "incidents",
];
const last = ["states", "heartbeats", "attempts", "spans", "series", "seals"];

export function createDeletion(connection: Connection) {
  return {
    /**
     * Deletes a run and everything it recorded, or nothing. Its recorders must be closed first. Other processes see the run until it is completely
     * gone.
     */
    deleteRun(runId: string): void {
      checkWritableRun(connection, runId);
      // Checking each reference would scan every metric of the workspace for each row; nothing refers to what is left out below.
      connection.exec("PRAGMA foreign_keys = OFF");
      try {
        connection.write(() => {
          const own = "SELECT id FROM series WHERE run_id = ?";
          for (const { first, last } of connection.all<{ first: number; last: number }>(
            "SELECT first_seq AS first, last_seq AS last FROM spans WHERE run_id = ?",
            [runId],
          ))
            connection.run("DELETE FROM metrics WHERE seq BETWEEN ? AND ?", [first, last]);
          for (const table of ["blocks", "rollups"])
            connection.run(`DELETE FROM ${table} WHERE series IN (${own})`, [runId]);
          connection.run("DELETE FROM decisions WHERE incident_id IN (SELECT id FROM incidents WHERE run_id = ?)", [
            runId,
          ]);
          connection.run("DELETE FROM applications WHERE run_id = ?", [runId]);
          for (const table of [...ofRun, ...last]) connection.run(`DELETE FROM ${table} WHERE run_id = ?`, [runId]);
          connection.run("DELETE FROM runs WHERE id = ?", [runId]);
        });
      } finally {
        connection.exec("PRAGMA foreign_keys = ON");
      }
    },
  };
}
