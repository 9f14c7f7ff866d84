/** The doctor at the start of a run: what it finds in the configuration is in the run's folder and record before anything trains. */
import { join } from "node:path";
import { examine, findingMessage, unexplained } from "../control/doctor/index.ts";
import type { Config } from "../settings/config-schema.ts";
import type { Tokenizer } from "../text/index.ts";
import type { RunRows } from "../trainer/run-rows.ts";
import type { Recorder } from "../types/run-recorder.ts";
import { writeDurably } from "../util/durable.ts";
import { BallastError, messageOf } from "../util/errors.ts";
import { gatherFacts, unreadFindings } from "./doctor-facts.ts";

/**
 * Writes `<folder>/doctor.json`, an array of findings. Records each unexplained error as a warning, and each unexplained warning as a note, with the
 * finding as its data. Loads no model. A configuration that cannot be judged is told as a note, and does not affect the run.
 */
export async function examineAtStart(
  config: Config,
  {
    folder,
    recorder,
    ...opened
  }: { readonly folder: string; readonly recorder: Recorder; readonly rows: RunRows; readonly tokenizer: Tokenizer },
): Promise<void> {
  if (config.ppo === undefined) return;
  const at = { stage: "ppo", iteration: 0 } as const;
  // The record has the number of sequences that a budget of tokens gave.
  const { tokensPerStep: _, ...ppo } = config.ppo;
  try {
    const { facts, unread } = await gatherFacts({ config, ppo, tokenBudget: null, measure: false, opened });
    const findings = examine(facts, unreadFindings(unread));
    writeDurably(join(folder, "doctor.json"), `${JSON.stringify(findings)}\n`);
    for (const { explained: _, ...finding } of unexplained(findings)) {
      const kind = finding.severity === "error" ? "warning" : "note";
      recorder.event({ ...at, kind, message: findingMessage(finding), data: { finding } });
    }
  } catch (error) {
    if (!(error instanceof BallastError)) throw error;
    const message = `the doctor could not judge this configuration: ${messageOf(error)}`;
    recorder.event({ ...at, kind: "note", message });
  }
}
