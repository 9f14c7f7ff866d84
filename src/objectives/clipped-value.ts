/**
 * The clipped value loss (docs/PPO.md row 10). For each token, with value V, return R, and Vold the online critic's value at rollout:
 *
 *     loss = 0.5 max((V - R)^2, (clip(V, Vold - eps, Vold + eps) - R)^2)
 *
 * `valueTerms` is the slow loop against which engines are tested; `clippedValueLoss` requests the same from an engine, summed over tokens with
 * weights.
 */
import type { ValueLoss } from "../engine/engine.ts";
import { checkSameShape, isValid, type Mask, type Rows } from "../rl/index.ts";

export interface ValueOptions {
  readonly values: Rows;
  /** The online critic's values at rollout. */
  readonly oldValues: Rows;
  readonly returns: Rows;
  readonly mask?: Mask | undefined;
  /** Values may move this far from the old ones before the clip binds; null does not clip. */
  readonly valueClip: number | null;
}

export interface ValueTerms {
  /** The loss of each token: 0.5 max((V - R)^2, (clip(V, Vold - eps, Vold + eps) - R)^2); 0 for masked tokens. */
  readonly loss: number[][];
  /** Whether the clip binds, that is, whether the clipped term is strictly larger. */
  readonly clipped: boolean[][];
  /** Derivative of each token's loss with respect to its own value: V - R, or 0 if the clip binds. */
  readonly gradient: number[][];
}

export function valueTerms(options: ValueOptions): ValueTerms {
  const { values, oldValues, returns, mask, valueClip } = options;
  checkSameShape({ values, oldValues, returns, mask });
  const loss_B_T = values.map((row) => row.map(() => 0));
  const clipped_B_T = values.map((row) => row.map(() => false));
  const gradient_B_T = values.map((row) => row.map(() => 0));
  for (let b = 0; b < values.length; b++) {
    for (let t = 0; t < values[b]!.length; t++) {
      if (!isValid(mask, b, t)) continue;
      const error = values[b]![t]! - returns[b]![t]!;
      const old = oldValues[b]![t]!;
      const near =
        valueClip === null ? values[b]![t]! : Math.min(Math.max(values[b]![t]!, old - valueClip), old + valueClip);
      const clippedError = near - returns[b]![t]!;
      const clipped = clippedError ** 2 > error ** 2;
      loss_B_T[b]![t] = 0.5 * Math.max(error ** 2, clippedError ** 2);
      clipped_B_T[b]![t] = clipped;
      gradient_B_T[b]![t] = clipped ? 0 : error;
    }
  }
  return { loss: loss_B_T, clipped: clipped_B_T, gradient: gradient_B_T };
}

/** The engine's request for the sum of weight times loss over tokens. */
export function clippedValueLoss(
  batch: Pick<ValueLoss, "sequences" | "weights" | "returns" | "oldValues">,
  { valueClip }: Pick<ValueOptions, "valueClip">,
): ValueLoss {
  return { name: "value", ...batch, config: { valueClip } };
}
