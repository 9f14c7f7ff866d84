/** Opens a run's gold check, which measures its answers and never trains. */
import type { Engine } from "../engine/engine.ts";
import {
  exact,
  FunctionRunner,
  inputOf,
  lastNumber,
  learnedScores,
  openJudge,
  pattern,
  readNormalisation,
  type Scored,
} from "../reward/index.ts";
import { answerIn } from "../reward/number.ts";
import type { Config } from "../settings/config-schema.ts";
import type { Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { type GoldPlan, goldPlan } from "./gold-plan.ts";
import type { MeasuredGold } from "./measuring.ts";
import { stateOf } from "./model-folder.ts";
import { scoredRows } from "./rollout.ts";
import type { RunRows } from "./run-rows.ts";
import { checkVocabulary } from "./stage-models.ts";

export interface OpenedGold {
  /** null if the run has no check. */
  readonly gold: MeasuredGold | null;
  readonly plan: GoldPlan;
  close(): Promise<void>;
}

/** Opens the check of a run with PPO. Errors: UsageError if its model is no reward model, or a judge's variable is not set. */
export async function openGold(options: {
  readonly config: Config;
  readonly rows: RunRows;
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
}): Promise<OpenedGold> {
  const { config, rows, engine, tokenizer } = options;
  const plan = goldPlan(config, rows);
  const { check, independent } = plan;
  const nothing = async () => {};
  if (check === null) return { gold: null, plan, close: nothing };
  const measured = (judge: MeasuredGold["check"], everyRollout = true): MeasuredGold => ({
    check: judge,
    everyRollout,
    independent,
  });
  if (check.kind === "task") return { gold: measured(rows.task!.check), plan, close: nothing };

  /** One verdict for each row that the check applies to, under the check's kind. */
  const verdicts =
    (values: (rows: readonly Scored[]) => Promise<readonly (boolean | null)[]>): MeasuredGold["check"] =>
    async (rollout) =>
      (await values(scoredRows(rollout))).map((passed) => (passed === null ? {} : { [check.kind]: passed }));
  const byRule = (passes: (row: Scored) => boolean | null) => measured(verdicts(async (all) => all.map(passes)));
  switch (check.kind) {
    case "none":
      return { gold: null, plan, close: nothing };
    case "exact":
      return { gold: byRule((row) => (row.reference === null ? null : exact(row) === 1)), plan, close: nothing };
    case "last_number":
      return {
        gold: byRule((row) => (hasNumber(row.reference, check.marker) ? lastNumber(row, check) === 1 : null)),
        plan,
        close: nothing,
      };
    case "pattern":
      return { gold: byRule((row) => pattern(row, check) === 1), plan, close: nothing };
    case "function": {
      const runner = new FunctionRunner(check);
      await runner.ready();
      const values = async (all: readonly Scored[]) =>
        (await runner.score(all.map(inputOf))).map((value) => value > check.threshold);
      return { gold: measured(verdicts(values)), plan, close: () => runner.close() };
    }
    case "model": {
      const { id, config: its, heads } = await engine.loadModel(stateOf(check.path), { role: "reward", frozen: true });
      if (!heads.includes("scalar"))
        throw new UsageError(
          `ppo.gold: ${check.path} holds no reward model: it has no scalar head`,
          "Train one: ballast reward CONFIG.",
        );
      checkVocabulary(`the gold check's model in ${check.path}`, its, tokenizer);
      const learned = { model: id, normalisation: readNormalisation(check.path) };
      const values = async (all: readonly Scored[]) => {
        const { scores } = await learnedScores(all, { engine, learned, microBatch: config.ppo!.microBatch });
        return scores.map((score) => score > check.threshold);
      };
      return { gold: measured(verdicts(values)), plan, close: () => engine.disposeModel(id) };
    }
    case "judge": {
      const ask = openJudge({ ...check, objective: rows.objective });
      const values = async (all: readonly Scored[]) => (await ask(all)).map((score) => score > check.threshold);
      return { gold: measured(verdicts(values), false), plan, close: nothing };
    }
  }
}

function hasNumber(reference: string | null, marker: string): boolean {
  return reference !== null && answerIn(reference, { marker, requireMarker: false }) !== null;
}
