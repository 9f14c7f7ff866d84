/** The models of PPO: the policy that learns, the frozen reference, and the critic, separate or on the policy's trunk. */
import { join } from "node:path";
import type { ModelId, ModelInfo } from "../engine/engine.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import type { SavedModels } from "./checkpoint.ts";
import type { StageContext } from "./stage-context.ts";
import { loadTrunk, textIdsOf } from "./stage-models.ts";

/** Folders that the models start from. */
export interface PpoSources {
  readonly policy: string;
  readonly reference: string;
  /** Trunk of a separate critic. */
  readonly critic: string;
}

export interface PpoModels {
  readonly policy: ModelInfo;
  readonly reference: ModelId;
  /** The policy itself where the trunk is shared. */
  readonly critic: ModelId;
  readonly criticInfo: ModelInfo;
  /** The critic's average over its steps; null without. */
  readonly slowCritic: ModelId | null;
  readonly shared: boolean;
}

/** The models that a checkpoint holds, by the name of their folder in it. */
export function trainedModels({ policy, critic, slowCritic, shared }: PpoModels): SavedModels {
  return { policy: policy.id, ...(shared ? {} : { critic }), ...(slowCritic === null ? {} : { slowCritic }) };
}

/** `checkpoint` is the folder of one, or null to start. */
export async function openPpoModels(
  { engine, tokenizer, config }: StageContext,
  { sources, settings, checkpoint }: { sources: PpoSources; settings: PpoConfig; checkpoint: string | null },
): Promise<PpoModels> {
  const { seed } = config;
  const textIds = textIdsOf(tokenizer);
  const shared = settings.criticKind === "shared";
  const heads = shared ? (["lm", "scalar"] as const) : (["lm"] as const);
  const policy =
    checkpoint === null
      ? await loadTrunk(engine, sources.policy, { tokenizer, heads, seed, what: "policy" })
      : await engine.loadModel(join(checkpoint, "policy"), { heads, optimizer: true, textIds });
  const reference = await loadTrunk(engine, sources.reference, { tokenizer, heads: ["lm"], seed, what: "reference" });
  checkContext(`the reference in ${sources.reference}`, reference, policy);
  // Before the critic's first step its average is the critic as it starts.
  const slowOf = async ({ id, heads }: ModelInfo) => {
    if (settings.slowCritic === null) return null;
    const slow =
      checkpoint === null
        ? await engine.cloneModel(id)
        : await engine.loadModel(join(checkpoint, "slowCritic"), { heads, textIds });
    return slow.id;
  };
  if (shared) {
    const slowCritic = await slowOf(policy);
    return { policy, reference: reference.id, critic: policy.id, criticInfo: policy, slowCritic, shared };
  }
  // A full-depth transformer of its own, whose value head starts at zero (PPO.md row 19).
  const critic =
    checkpoint === null
      ? await loadTrunk(engine, sources.critic, { tokenizer, heads: ["scalar"], seed, what: "critic" })
      : await engine.loadModel(join(checkpoint, "critic"), { heads: ["scalar"], optimizer: true, textIds });
  checkContext(`the critic in ${sources.critic}`, critic, policy);
  const slowCritic = await slowOf(critic);
  return { policy, reference: reference.id, critic: critic.id, criticInfo: critic, slowCritic, shared };
}

function checkContext(what: string, { config }: ModelInfo, policy: ModelInfo): void {
  if (config.context >= policy.config.context) return;
  throw new UsageError(
    `${what} reads ${config.context} tokens; the policy writes up to ${policy.config.context}`,
    "Give one with a context as long as the policy's.",
  );
}
