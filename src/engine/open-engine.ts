/** Opens the engine that the configuration names, or several as one: every kind of engine has a row in the table here. */

import type { EngineKind } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import type { ModelRole } from "./capabilities.ts";
import { createEmbeddedEngine } from "./embedded/index.ts";
import type { Engine } from "./engine.ts";
import { routedEngine } from "./routed-engine.ts";
import { createTinkerEngine, type TinkerEngineOptions } from "./tinker/index.ts";
import { createTorchEngine, type TorchDtype, type TorchOffload, type TorchReshard } from "./torch/index.ts";
import type { ProcessOptions } from "./torch/rendezvous.ts";

export interface OpenOptions {
  /** Threads of an engine on this machine; 0, the default, uses the physical cores. */
  readonly threads?: number;
  /** Whether backward passes compute the activations of each block again, to hold fewer at once. */
  readonly recompute?: boolean;
  /** The folder of the run's model: of an engine whose weights are elsewhere, that of its base model. */
  readonly base?: string | undefined;
  /** Receives a sentence about work that takes long or is done for the first time. */
  readonly onNote?: (text: string) => void;
  /** Asked while an engine starts, if that may take long: whether to leave, with Interrupted. */
  readonly interrupted?: () => boolean;
}

export interface EngineChoice
  extends ProcessOptions,
    Pick<TinkerEngineOptions, "url" | "model" | "backend" | "keyEnv"> {
  readonly kind: string;
  /** Of the PyTorch engine: docs/engines.md. */
  readonly python?: string | undefined;
  readonly device?: string | undefined;
  readonly dtype?: TorchDtype | undefined;
  readonly offload?: TorchOffload | undefined;
  readonly reshard?: TorchReshard | undefined;
  readonly deadline?: number | undefined;
}

/** The section `engine` of a configuration: the engine of a run, and the engines of roles that have their own. */
export type EngineSection = EngineChoice & {
  readonly [Role in Exclude<ModelRole, "policy">]?: EngineChoice | undefined;
};

export type EngineKinds = Readonly<
  Record<string, (options: OpenOptions & Omit<EngineChoice, "kind">) => Promise<Engine>>
>;

export const engineKinds: Readonly<Record<EngineKind, EngineKinds[string]>> = {
  embedded: createEmbeddedEngine,
  torch: createTorchEngine,
  tinker: createTinkerEngine,
};

/**
 * Opens an engine. `kinds` may have more rows than Ballast's own. Throws UsageError for a kind without a row.
 *
 * @example
 * const engine = await openEngine({ threads: 2 });
 * const { id } = await engine.loadModel("runs/demo-1/ppo/final");
 * await engine.close();
 */
export async function openEngine({
  kind = "embedded",
  reference,
  critic,
  reward,
  kinds = engineKinds as EngineKinds,
  threads,
  recompute,
  base,
  onNote,
  interrupted,
  ...ofMain
}: Partial<EngineSection> & OpenOptions & { readonly kinds?: EngineKinds } = {}): Promise<Engine> {
  const openOf = (name: string) => {
    if (Object.hasOwn(kinds, name)) return kinds[name]!;
    const names = Object.keys(kinds);
    throw new UsageError(
      `there is no engine of kind "${name}"; did you mean ${nearest(name, names) ?? names[0]}?`,
      `Ballast has ${names.join(", ")}: set engine.kind to one of them.`,
    );
  };
  const main = openOf(kind);
  const others = Object.entries({ reference, critic, reward }).flatMap(([role, choice]) =>
    choice === undefined ? [] : [[role as ModelRole, choice, openOf(choice.kind)] as const],
  );
  const opened: Engine[] = [];
  // Of every engine; the other settings are those of one.
  const options = definedOf({ threads, recompute, base, onNote, interrupted });
  try {
    const first = await main({ ...options, ...ofMain });
    opened.push(first);
    if (others.length === 0) return first;
    const byRole: Partial<Record<ModelRole, Engine>> = {};
    for (const [role, { kind: _, ...choice }, open] of others) {
      const engine = await open({ ...options, ...choice });
      opened.push(engine);
      byRole[role] = engine;
    }
    return routedEngine(first, byRole);
  } catch (error) {
    for (const engine of opened) await engine.close();
    throw error;
  }
}

function definedOf<Options extends object>(options: Options): { [Key in keyof Options]?: NonNullable<Options[Key]> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [Key in keyof Options]?: NonNullable<Options[Key]> };
}
