/**
 * GET /api/runs/:run/diagnosis: likely causes, the checklist by phases, and the doctor's earlier findings. Computed again once the run has advanced.
 */
import { Hono } from "hono";
import { configOf } from "../../inspect/places.ts";
import { checklistOf } from "../../inspect/run-checklist.ts";
import { diagnosisOf, seenOf } from "../../inspect/run-diagnosis.ts";
import { fileOf } from "../../inspect/run-files.ts";
import { historyOf } from "../../inspect/run-history.ts";
import type { RunRow } from "../../store/index.ts";
import type { DiagnosisAnswer } from "../../types/page.ts";
import { attemptKey, neededPlace, runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { answerText } from "../reply.ts";
import type { Context } from "../server-context.ts";

/** Most iterations to read one by one; a longer run is read in buckets. */
const mostPoints = 4_000;

/** An answer is reused for this many times as long as it took: polling a long run gives slightly older answers. */
const rest = 20;

export function diagnosisRoutes(context: Context): Hono {
  const known = new Map<string, { readonly at: string; readonly text: string; readonly until: number }>();
  return new Hono().get("/runs/:run/diagnosis", (c) => {
    const run = runOf(context, c.req.param("run"));
    const at = `${run.state} ${attemptKey(run)} ${run.position?.stage} ${run.position?.iteration}`;
    let answer = known.get(run.id);
    if (answer === undefined || (answer.at !== at && performance.now() > answer.until)) {
      const began = performance.now();
      const text = answerText(diagnosisAnswer(context, run));
      const now = performance.now();
      answer = { at, text, until: now + rest * (now - began) };
      known.set(run.id, answer);
    }
    return c.body(answer.text, 200, { "content-type": "application/json; charset=utf-8" });
  });
}

function diagnosisAnswer(context: Context, { id }: RunRow): DiagnosisAnswer {
  const { store } = context;
  const place = neededPlace(context, id);
  const config = configOf(place);
  if (!config.ppo) throw new Refusal(409, `run ${id} has no PPO`, "Only PPO is judged here.");
  const { history, seen } = store.snapshot(() => ({
    history: historyOf(store, id, { maxPoints: mostPoints }),
    seen: seenOf(store, place),
  }));
  const { done, found } = diagnosisOf({ config, history, seen });
  return {
    iterations: done,
    diagnoses: found.map(({ samples: _, ...diagnosis }) => diagnosis),
    phases: checklistOf(config, history).phases,
    findings: findingsOf(fileOf(place, "doctor.json")),
  };
}

/** The findings as the trainer left them. */
function findingsOf(file: unknown): DiagnosisAnswer["findings"] {
  const findings = Array.isArray(file) ? file : (file as { readonly findings?: unknown } | null)?.findings;
  return Array.isArray(findings) ? (findings as DiagnosisAnswer["findings"]) : null;
}
