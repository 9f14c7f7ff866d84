/** Opens a model's folder for the engine: a whole model or an adapter on its base, whose weights may be shared. */
import { newAdapter } from "../../models/adapter.ts";
import { adapterBase, checkBaseWeights, openAdapterFolder } from "../../models/adapter-folder.ts";
import { blockProjections } from "../../models/family.ts";
import { openModelFolder } from "../../models/hf-folder.ts";
import { withTextIds } from "../../models/model-config.ts";
import { isAdapterFolder } from "../../util/weight-files.ts";
import type { HeadKind, LoadModelRequest, ModelConfig } from "../engine.ts";
import { headsToLoad } from "../heads-to-load.ts";
import type { Values } from "./parameter-values.ts";
import type { SharedWeights, WeightShelf } from "./shared-weights.ts";

export interface OpenedState {
  readonly config: ModelConfig;
  readonly heads: readonly HeadKind[];
  readonly from: Values;
  /** The shared weights that the model will stand on; null if it owns all of its own. */
  readonly trunk: SharedWeights | null;
}

/** Throws a CheckpointError if the folder does not fit itself, its base or the requested heads. */
export function openState(folder: string, request: LoadModelRequest, shelf: WeightShelf): OpenedState {
  const { adapter, frozen = false, freshScalar = false, textIds } = request;
  const opened = isAdapterFolder(folder)
    ? openAdapter(folder, shelf)
    : openWhole(folder, frozen || adapter !== undefined ? shelf : null);
  const heads = headsToLoad(folder, { wanted: request.heads, found: opened.heads });
  const kept = [...opened.from.shapes].filter(([name]) => !(freshScalar && name.startsWith("score.")));
  const own = withTextIds(opened.config, textIds);
  const adds = adapter !== undefined && own.adapter === undefined;
  const config = adds ? { ...own, adapter: newAdapter(blockProjections(own), adapter) } : own;
  return { ...opened, config, heads, from: { ...opened.from, shapes: new Map(kept) } };
}

function openWhole(folder: string, shelf: WeightShelf | null): OpenedState {
  const trunk = shelf?.open(folder) ?? null;
  const read = trunk ?? openModelFolder(folder);
  return { config: read.config, heads: read.heads, from: read, trunk };
}

function openAdapter(folder: string, shelf: WeightShelf): OpenedState {
  const trunk = shelf.open(adapterBase(folder));
  const adapter = openAdapterFolder(folder, trunk);
  checkBaseWeights(folder, { adapter, place: trunk.folder, hash: trunk.hash });
  const from: Values = {
    shapes: new Map([...trunk.shapes, ...adapter.shapes]),
    read: (name, into) => (adapter.shapes.has(name) ? adapter : trunk).read(name, into),
    held: (name) => (adapter.shapes.has(name) ? undefined : trunk.held(name)),
  };
  return { config: adapter.config, heads: adapter.heads, from, trunk };
}
