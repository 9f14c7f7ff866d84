/** The thread that checks new configurations for the page: mistakes, the doctor's findings, the memory plan. It loads no model. */
import { parentPort, workerData } from "node:worker_threads";
import { type Config, checkedConfig, type Loaded, parseConfig } from "../../../config/index.ts";
import { examine } from "../../../control/doctor/index.ts";
import { completed } from "../../../run/completed-config.ts";
import { gatherFacts, unreadFindings } from "../../../run/doctor-facts.ts";
import { planMemory, rowFacts } from "../../../run/memory-plan.ts";
import { withTokenBudget } from "../../../run/token-budget.ts";
import { prepareRows } from "../../../trainer/encoded-rows.ts";
import type { NewRunCheck, NewRunRequest } from "../../../types/new-run-page.ts";
import { stages } from "../../../types/records.ts";
import { BallastError, messageOf, UsageError } from "../../../util/errors.ts";
import { machineMemory } from "../../../util/machine-memory.ts";
import { withoutCurrentDirectory } from "../../short-path.ts";
import { rowFindings } from "../doctor/doctor-rows.ts";
import { newRunValues, newRunYaml } from "./new-run-config.ts";

const { workspace, folder } = workerData as { readonly workspace: string; readonly folder: string };

parentPort!.on("message", (asked: { readonly id: number; readonly request: NewRunRequest }) => {
  void check(asked.request)
    .catch((error): NewRunCheck => ({ ...nothing, problem: problemIn(error) }))
    .then((answer) => parentPort!.postMessage({ id: asked.id, answer }));
});

const nothing: NewRunCheck = {
  yaml: "",
  problem: null,
  warnings: [],
  objective: "",
  stages: [],
  findings: null,
  plan: null,
};

async function check(request: NewRunRequest): Promise<NewRunCheck> {
  const values = newRunValues(request);
  const yaml = newRunYaml(values, folder);
  const { loaded, problem } = load({ ...values, workspace });
  if (loaded === null) return { ...nothing, yaml, problem };
  const { config } = loaded;
  const missing = problem === null ? null : [problem.error];
  const { findings, failed } = await judged(config, missing);
  const planned = failed === null && missing === null ? plan(config) : { plan: null, failed: null };
  return {
    yaml,
    problem: problem ?? failed ?? planned.failed ?? noStage(config),
    warnings: loaded.warnings.map(withoutPlace),
    objective: config.objective,
    stages: stages.filter((stage) => config[stage] !== undefined),
    findings,
    plan: planned.plan,
  };
}

/** The configuration; if only files that it names do not exist, it is judged all the same. */
function load(values: object): { readonly loaded: Loaded | null; readonly problem: NewRunCheck["problem"] } {
  try {
    return { loaded: checkedConfig(values, { command: "run" }), problem: null };
  } catch (error) {
    const problem = problemIn(error);
    try {
      return { loaded: parseConfig(JSON.stringify(values, null, 2), "configuration"), problem };
    } catch {
      return { loaded: null, problem };
    }
  }
}

async function judged(config: Config, missing: readonly string[] | null) {
  const { ppo } = config;
  if (ppo === undefined) return { findings: [], failed: null };
  try {
    const { facts, unread } = await gatherFacts({ config, ppo, tokenBudget: null, measure: false });
    const rows = missing === null ? rowFindings(config) : [];
    const lines = (missing ?? unread).map((line) => withoutCurrentDirectory(line));
    return { findings: examine(facts, [...unreadFindings(lines), ...rows]), failed: null };
  } catch (error) {
    return { findings: null, failed: problemIn(error) };
  }
}

function plan(given: Config): { readonly plan: NewRunCheck["plan"]; readonly failed: NewRunCheck["problem"] } {
  if (given.engine.kind !== "embedded") return { plan: null, failed: null };
  try {
    const config = completed(given);
    const facts = rowFacts(prepareRows(config));
    const { stage, total, lines } = planMemory(withTokenBudget(config, facts.lengths.ppo ?? []), facts);
    const memory = machineMemory();
    const shown = lines.map(({ what, bytes }) => ({ what, bytes }));
    return { plan: { stage, total, memory, fits: total <= memory, lines: shown }, failed: null };
  } catch (error) {
    return { plan: null, failed: problemIn(error) };
  }
}

function noStage(config: Config): NewRunCheck["problem"] {
  if (stages.some((stage) => config[stage] !== undefined)) return null;
  return { error: "the configuration has no stage", hint: "Give it data for one: demonstrations, pairs or prompts." };
}

function problemIn(error: unknown): NonNullable<NewRunCheck["problem"]> {
  if (!(error instanceof BallastError)) return { error: messageOf(error) };
  const hint = error instanceof UsageError && error.hint?.startsWith("docs/") ? undefined : error.hint;
  return { error: withoutPlace(error.message), ...(hint !== undefined && { hint }) };
}

/** Without the line of a text that the user never sees. */
function withoutPlace(message: string): string {
  return withoutCurrentDirectory(message.replaceAll(/^configuration(:\d+)?: /gm, ""));
}
