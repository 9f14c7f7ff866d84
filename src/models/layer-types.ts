/** Which layers see a window of the newest tokens: `layer_types`, `sliding_window` and what classes derive the first from. */
import { UsageError } from "../util/errors.ts";
import type { HfConfig } from "./hf-config.ts";
import type { DecoderConfig } from "./model-config.ts";

export type LayerType = "full_attention" | "sliding_attention";

export interface WindowOptions {
  /** Most tokens that a token of a sliding layer sees, itself included; null if no layer slides. */
  readonly sliding_window: number | null;
  readonly layer_types: readonly LayerType[];
}

/** More layers than any model has; a list of more would take memory before their sizes are checked. */
const mostLayers = 100_000;

/** The type of each layer. Throws a UsageError for an absurd number of layers. */
export function layerTypes(layers: number, typeAt: (layer: number) => LayerType): LayerType[] {
  if (layers > mostLayers) throw new UsageError(`a model of ${layers} layers is too large`, "Give smaller sizes.");
  return Array.from({ length: layers }, (_, i) => typeAt(i));
}

/** `layer_types`, or what the class derives if it is absent. Throws a CheckpointError for other types, or another number of layers. */
export function readLayerTypes(file: HfConfig, derived: (layer: number) => LayerType): LayerType[] {
  const layers = file.count("num_hidden_layers");
  const given = file.json.layer_types ?? null;
  if (given === null) return layerTypes(layers, derived);
  if (!Array.isArray(given) || given.length !== layers)
    throw file.error(`layer_types must be a list of ${layers} types, one for each layer`);
  const other = given.find((type) => type !== "full_attention" && type !== "sliding_attention");
  if (other !== undefined)
    throw file.error(
      `layer_types has ${JSON.stringify(other)}; only full_attention and sliding_attention are supported`,
    );
  return given as LayerType[];
}

/** For classes whose layers are all alike: refuses layers of a different type. */
export function onlyFullLayers(file: HfConfig): void {
  if (readLayerTypes(file, () => "full_attention").includes("sliding_attention"))
    throw file.error("layer_types has sliding_attention; this class has no sliding layers");
}

/** The windows that Qwen's classes give to the layers from `max_window_layers` on. */
export function readQwenWindows(file: HfConfig): WindowOptions {
  const used = file.flag("use_sliding_window", false);
  const given = file.json.sliding_window === undefined ? 4096 : file.optionalCount("sliding_window");
  const sliding_window = used ? given : null;
  const first = file.json.max_window_layers ?? 28;
  if (typeof first !== "number" || !Number.isInteger(first) || first < 0)
    throw file.error(`max_window_layers must be a whole number, found ${JSON.stringify(first)}`);
  const layer_types = readLayerTypes(file, (i) =>
    sliding_window !== null && i >= first ? "sliding_attention" : "full_attention",
  );
  if (sliding_window === null && layer_types.includes("sliding_attention"))
    throw file.error("layer_types has sliding_attention, but use_sliding_window is off or sliding_window is null");
  return { sliding_window, layer_types };
}

export function writeQwenWindows({ sliding_window, layer_types }: WindowOptions): Record<string, unknown> {
  const first = layer_types.indexOf("sliding_attention");
  return {
    use_sliding_window: sliding_window !== null,
    sliding_window,
    max_window_layers: first < 0 ? layer_types.length : first,
    layer_types,
  };
}

/** The window of a layer; null if it sees all tokens, or has a window that no sequence exceeds. */
export function windowOf({ context }: DecoderConfig, { sliding_window, layer_types }: WindowOptions, layer: number) {
  const slides = layer_types[layer] === "sliding_attention" && sliding_window !== null && sliding_window < context;
  return slides ? sliding_window : null;
}

/** Windows of a model from scratch: none. */
export function fullLayers({ layers }: DecoderConfig): WindowOptions {
  return { sliding_window: null, layer_types: layerTypes(layers, () => "full_attention") };
}
