/** Checks the models of a run against its tokenizer and one another before anything is trained. */
import { existsSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import type { ModelRole } from "../engine/capabilities.ts";
import type { Engine, HeadKind } from "../engine/engine.ts";
import { learnedComponents } from "../reward/index.ts";
import type { Config } from "../settings/config-schema.ts";
import { schemeOf } from "../settings/model-reference.ts";
import type { Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { stateOf } from "./model-folder.ts";
import type { Prompt } from "./rollout.ts";
import type { FrozenFolders } from "./stage-models.ts";

interface Named {
  /** The setting that names the model. */
  readonly key: string;
  readonly folder: string;
  readonly role: ModelRole;
  /** The head that the model must have; null if only its trunk is used. */
  readonly head: HeadKind | null;
  /** Whether the model reads everything that the policy may write, and so needs as many positions. */
  readonly reads?: boolean;
}

/**
 * Checks the folders that pending stages start from. Throws one UsageError with everything that is wrong with them: fewer rows than the tokenizer has
 * ids, fewer positions than the policy, no head of the required kind.
 */
export async function checkModels(run: {
  readonly engine: Engine;
  readonly config: Config;
  readonly tokenizer: Tokenizer;
  /** The run's folder. */
  readonly folder: string;
}): Promise<void> {
  const { engine, config, tokenizer, folder } = run;
  const named = namedModels(config, folder);
  const sizes = await Promise.all(named.map(({ folder, role }) => engine.inspectModel(stateOf(folder), { role })));
  const policy = named.findIndex(({ key }) => key === policyKey(config));
  const positions = sizes[policy]?.config.context ?? (config.model.path === undefined ? config.model.context : 0);
  const problems = named.flatMap(({ key, folder, head, reads = false }, i) => {
    const { config: its, heads } = sizes[i]!;
    const of = `${key}: the model in ${folder}`;
    const faults: string[] = [];
    if (its.vocabularySize < tokenizer.smallestVocabulary)
      faults.push(
        `${of} has a vocabulary of ${its.vocabularySize} tokens; the tokenizer writes ${tokenizer.smallestVocabulary}`,
      );
    if (head !== null && !heads.includes(head))
      faults.push(
        head === "lm"
          ? `${of} is a reward model or critic: it has no language head`
          : `${of} is not a reward model: it has no score`,
      );
    if (reads && its.context < positions)
      faults.push(`${of} reads ${its.context} tokens; the policy writes up to ${positions}`);
    return faults;
  });
  if (problems.length > 0)
    throw new UsageError(
      problems.join("\n"),
      "Give models that were trained with this tokenizer, each of the kind that is needed.",
    );
}

function policyKey({ ppo }: Config): string {
  return ppo?.policy === undefined ? "model.path" : "ppo.policy";
}

/** The folders that the configuration names for stages that are not done. */
function namedModels({ model, sft, reward, ppo }: Config, run: string): Named[] {
  const waits = (stage: string) => !existsSync(join(run, stage, "final"));
  const named: (Omit<Named, "folder"> & { readonly folder: string | undefined })[] = [];
  const speaks = (sft && waits("sft")) || (ppo && !sft && ppo.policy === undefined && waits("ppo"));
  const starts = speaks || (reward && !sft && reward.from === undefined && waits("reward"));
  if (starts) named.push({ key: "model.path", role: "policy", folder: model.path, head: speaks ? "lm" : null });
  if (reward && waits("reward")) named.push({ key: "reward.from", role: "reward", folder: reward.from, head: null });
  if (ppo && waits("ppo")) {
    named.push({ key: "ppo.policy", role: "policy", folder: ppo.policy, head: "lm" });
    named.push({ key: "ppo.reference", role: "reference", folder: ppo.reference, head: "lm", reads: true });
    named.push({
      key: "ppo.critic",
      role: "critic",
      folder: ppo.critic,
      head: null,
      reads: ppo.criticKind === "separate",
    });
    for (const { name, path } of learnedComponents(ppo.rewards))
      named.push({ key: `the reward ${name}`, role: "reward", folder: path, head: "scalar" });
  }
  return named.filter((one): one is Named => one.folder !== undefined && !isToCome(one.folder, run));
}

/** Whether a stage of this run will make the folder. */
function isToCome(folder: string, run: string): boolean {
  return schemeOf(folder) === null && !existsSync(folder) && resolve(folder).startsWith(resolve(run) + sep);
}

/** Throws UsageError if a reward model cannot read the longest prompt with the longest response. */
export async function checkReach(
  engine: Engine,
  {
    rewardModels,
    prompts,
    maxNewTokens,
  }: { readonly rewardModels: FrozenFolders; readonly prompts: readonly Prompt[]; readonly maxNewTokens: number },
): Promise<void> {
  const longest = prompts.reduce((most, { tokens }) => Math.max(most, tokens.length), 0);
  for (const [name, folder] of Object.entries(rewardModels)) {
    const { config } = await engine.inspectModel(stateOf(folder), { role: "reward" });
    if (config.context >= longest + maxNewTokens) continue;
    throw new UsageError(
      `the reward model of ${name} in ${folder} reads ${config.context} tokens; the longest prompt has ${longest}, and a response up to ${maxNewTokens}`,
      "Lower ppo.maxNewTokens, shorten the prompts, or give a reward model with a longer context.",
    );
  }
}
