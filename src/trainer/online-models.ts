/** The models of an online run: the policy that learns, the frozen reference and, if the algorithm has one, a critic. */
import { join } from "node:path";
import type { ModelId, ModelInfo } from "../engine/engine.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import type { SavedModels } from "./checkpoint.ts";
import { stateOf } from "./model-folder.ts";
import type { StageContext } from "./stage-context.ts";
import { adapterOf, loadTrained, loadTrunk, textIdsOf } from "./stage-models.ts";

/** Folders that the models start from. */
export interface OnlineSources {
  readonly policy: string;
  readonly reference: string;
  /** Trunk of a separate critic. */
  readonly critic: string;
}

export interface Critic {
  /** The critic's model; the policy's own id if the trunk is shared. */
  readonly id: ModelId;
  readonly info: ModelInfo;
  /** The critic's average over its steps; null if there is none. */
  readonly slow: ModelId | null;
  /** Whether the critic is a head on the policy's trunk. */
  readonly shared: boolean;
}

export interface OnlineModels {
  readonly policy: ModelInfo;
  readonly reference: ModelId;
  /** The critic; null if the algorithm has none. */
  readonly critic: Critic | null;
}

/** The models in a checkpoint, by the name of their folder in it. */
export function trainedModels({ policy, critic }: OnlineModels): SavedModels {
  return {
    policy: policy.id,
    ...(critic && !critic.shared && { critic: critic.id }),
    ...(critic && critic.slow !== null && { slowCritic: critic.slow }),
  };
}

export interface OnlineModelsRequest {
  readonly sources: OnlineSources;
  readonly settings: PpoConfig;
  /** The folder of a checkpoint; null at the beginning. */
  readonly checkpoint: string | null;
}

/** Opens the models. Throws UsageError if the policy may write more tokens than the reference or critic can read. */
export async function openOnlineModels(context: StageContext, request: OnlineModelsRequest): Promise<OnlineModels> {
  const { engine, tokenizer, config } = context;
  const { sources, settings, checkpoint } = request;
  const { seed } = config;
  const withCritic = hasCritic(settings.algorithm);
  const shared = withCritic && settings.criticKind === "shared";
  const heads = shared ? (["lm", "scalar"] as const) : (["lm"] as const);
  const policy =
    checkpoint === null
      ? await loadTrunk(engine, sources.policy, { tokenizer, heads, seed, role: "policy", adapter: adapterOf(config) })
      : await loadTrained(context, join(checkpoint, "policy"), { heads, role: "policy" });
  const still = { tokenizer, heads: ["lm"], seed, role: "reference", frozen: true } as const;
  const reference = await loadTrunk(engine, sources.reference, still);
  checkContext(`the reference in ${sources.reference}`, reference, policy);
  const critic = withCritic ? await openCritic(context, { ...request, policy }) : null;
  return { policy, reference: reference.id, critic };
}

async function openCritic(
  context: StageContext,
  { sources, settings, checkpoint, policy }: OnlineModelsRequest & { readonly policy: ModelInfo },
): Promise<Critic> {
  const { engine, tokenizer, config } = context;
  const shared = settings.criticKind === "shared";
  const textIds = textIdsOf(tokenizer);
  const { seed } = config;
  const open = async () => {
    if (shared) return policy;
    const fresh = { heads: ["scalar"], seed, role: "critic" } as const;
    // A separate full-depth transformer, whose value head starts at zero (docs/PPO.md row 19).
    const critic =
      checkpoint === null
        ? await loadTrunk(engine, sources.critic, { ...fresh, tokenizer, adapter: adapterOf(config) })
        : await loadTrained(context, join(checkpoint, "critic"), { heads: ["scalar"], role: "critic" });
    checkContext(`the critic in ${sources.critic}`, critic, policy);
    return critic;
  };
  // Before the critic's first step its average is the initial critic.
  const slowOf = async ({ id, heads }: ModelInfo) => {
    if (settings.slowCritic === null) return null;
    if (checkpoint === null) return (await engine.cloneModel(id, { merge: true })).id;
    return (
      await engine.loadModel(stateOf(join(checkpoint, "slowCritic")), {
        heads,
        textIds,
        role: shared ? "policy" : "critic",
      })
    ).id;
  };
  const info = await open();
  return { id: info.id, info, slow: await slowOf(info), shared };
}

function checkContext(what: string, { config }: ModelInfo, policy: ModelInfo): void {
  if (config.context >= policy.config.context) return;
  throw new UsageError(
    `${what} reads ${config.context} tokens; the policy writes up to ${policy.config.context}`,
    "Give one with a context as long as the policy's.",
  );
}
