/** `ballast eval`: measures a run's policy again, with more samples or different seeds. */
import { checkRunFiles } from "../../../config/run-manifest.ts";
import { openEngine } from "../../../engine/open-engine.ts";
import { configOf, findRun } from "../../../inspect/places.ts";
import { evaluateRun } from "../../../trainer/evaluate-run.ts";
import { reportLines } from "../../evaluation-report.ts";
import { naming } from "../../find-run.ts";
import { closeAtSignal } from "../../interrupt.ts";
import { jsonLine } from "../../json-line.ts";
import { ProgressDisplay } from "../../progress.ts";
import { rewardIsLearned } from "../../result.ts";
import { shownValues } from "../../shown-values.ts";
import type { Terminal } from "../../terminal.ts";

export interface EvalOptions {
  /** A run's id or folder. */
  readonly run: string;
  readonly workspace: string;
  readonly samples?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function evaluate(options: EvalOptions): Promise<number> {
  const { run, workspace, samples, temperature, seed, json = false, terminal } = options;
  const place = findRun(run, workspace);
  const { id, folder } = place;
  const config = configOf(place);
  await checkRunFiles(folder);
  const display = new ProgressDisplay({ terminal, pick: shownValues });
  const engine = await openEngine({
    ...config.engine,
    ...{ threads: config.threads, base: config.model.path, onNote: (text) => display.note(text) },
  });
  const dispose = closeAtSignal(engine, config.engine);
  try {
    const evaluation = await evaluateRun({
      config,
      folder,
      engine,
      samples,
      temperature,
      seed,
      onProgress: (progress) => display.update(progress),
      // Nothing would be lost: Ctrl-C ends the process as usual.
      interrupted: () => false,
    });
    display.close();
    if (json) terminal.out(jsonLine({ run: id, ...evaluation }));
    else for (const line of reportLines({ evaluation, learned: rewardIsLearned(config) }, terminal)) terminal.out(line);
  } catch (error) {
    throw naming(error, place);
  } finally {
    display.close();
    await engine.close();
    dispose();
  }
  return 0;
}
