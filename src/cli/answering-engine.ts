/** The engine on which a model answers a user: that of the run which made it, or the one that the user asks for. */
import type { EngineChoice } from "../engine/open-engine.ts";
import { configOf, findRun } from "../inspect/places.ts";
import { UsageError } from "../util/errors.ts";

/** The engines on which a model of a folder can answer. */
export type AnsweringKind = "embedded" | "torch";

/**
 * A run's Python, device and type of numbers hold for its models, in one process. A folder that is no run's answers on the embedded engine.
 * @param target a run's id, a run's folder or a model's folder
 */
export function answeringEngine(target: string, workspace: string, asked: AnsweringKind | undefined): EngineChoice {
  const own = engineOfRun(target, workspace);
  const kind = asked ?? (own?.kind === "torch" ? "torch" : "embedded");
  if (own?.kind !== kind) return { kind };
  const { python, device, dtype } = own;
  return { kind, python, device, dtype };
}

function engineOfRun(target: string, workspace: string): EngineChoice | null {
  try {
    return configOf(findRun(target, workspace)).engine;
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}
