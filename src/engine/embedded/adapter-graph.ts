/** An adapter's product added to the matrix that it stands beside, as a graph. */
import type { MatrixLayout, Projection } from "../../models/adapter.ts";
import type { AdapterModule } from "../../models/model-config.ts";
import { input, type Tensor } from "../../tensor/graph.ts";
import { add, matmul, mul } from "../../tensor/ops.ts";

export interface MergedShape {
  readonly projection: Pick<Projection, "inputs" | "outputs">;
  readonly rank: number;
  readonly layout: MatrixLayout;
}

/** What a graph of a module depends on. */
export function mergedShape(module: AdapterModule, { inputs, outputs }: Projection, layout: MatrixLayout): MergedShape {
  return { projection: { inputs, outputs }, rank: module.rank, layout };
}

/** Inputs: w (in its layout), a [R, I], b [O, R], scale []. Output: merged = w + scale B A. */
export function mergeGraph({ projection: { inputs, outputs }, rank, layout }: MergedShape): Record<string, Tensor> {
  const a_R_I = input("a", [rank, inputs]);
  const b_O_R = input("b", [outputs, rank]);
  const scale = input("scale", []);
  const transposed = layout === "inputs-outputs";
  const product = transposed ? matmul(a_R_I, b_O_R, { transA: true, transB: true }) : matmul(b_O_R, a_R_I);
  const w = input("w", transposed ? [inputs, outputs] : [outputs, inputs]);
  return { merged: add(w, mul(product, scale)) };
}
