/** The engine on which models answer a user: that of the run which made them, or the one that the user asks for. */
import { dirname, resolve } from "node:path";
import type { Config } from "../config/index.ts";
import type { EngineChoice, OpenOptions } from "../engine/open-engine.ts";
import { configOf, findRun } from "../inspect/places.ts";
import { schemeOf } from "../settings/model-reference.ts";
import { stateOf } from "../trainer/model-folder.ts";
import { UsageError } from "../util/errors.ts";

/** The engines of this machine on which a model of a folder can answer. */
export type AnsweringKind = "embedded" | "torch";

export interface AnsweringOptions {
  /** A run's id, a run's folder or a model's folder. */
  readonly target: string;
  readonly workspace: string;
  /** The folders of the models that are to answer. */
  readonly folders: readonly string[];
  /** The engine that the user asks for. */
  readonly asked?: AnsweringKind | undefined;
}

/**
 * A run's models use the run's Python, device and dtype, in one process; a model that a server keeps answers on that server. A folder outside any run
 * answers on the embedded engine.
 * @throws UsageError if a server keeps a model and the user asks for an engine of this machine, or no run says which server
 */
export function answeringEngine({
  target,
  workspace,
  folders,
  asked,
}: AnsweringOptions): EngineChoice & Pick<OpenOptions, "base"> {
  const remote = folders.find((folder) => schemeOf(stateOf(folder)) !== null);
  if (remote !== undefined) return engineOfServer(remote, asked);
  const own = configOfRun(target, workspace)?.engine;
  const kind = asked ?? (own?.kind === "torch" ? "torch" : "embedded");
  if (own?.kind !== kind) return { kind };
  const { python, device, dtype } = own;
  return { kind, python, device, dtype };
}

/** The engine of the run in whose folder a model is. */
function engineOfServer(folder: string, asked: AnsweringKind | undefined): ReturnType<typeof answeringEngine> {
  const state = stateOf(folder);
  if (asked !== undefined)
    throw new UsageError(
      `a server keeps the model in ${folder} (${state}): the engine ${asked} cannot load it`,
      "Leave out --engine: the model answers on its server.",
    );
  for (let place = resolve(folder); place !== dirname(place); place = dirname(place)) {
    const config = configOfRun(place, dirname(place));
    if (config === null) continue;
    const { kind, url, model, backend, keyEnv } = config.engine;
    return { kind, url, model, backend, keyEnv, base: config.model.path };
  }
  throw new UsageError(
    `a server keeps the model in ${folder} (${state}), and the folder is in no run that says which`,
    "Name the run, or the model's folder inside the run's.",
  );
}

function configOfRun(target: string, workspace: string): Config | null {
  try {
    return configOf(findRun(target, workspace));
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}
