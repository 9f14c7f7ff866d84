/** Projections: a hidden state times a parameter matrix, plus a bias if the parameters have one. */
import type { Tensor } from "../tensor/graph.ts";
import { add, linear, matmul } from "../tensor/ops.ts";
import { type Parameters, parameter } from "./parameters.ts";

/** The axes of a stored matrix: GPT-2 (Conv1D) stores [inputs, outputs], all other families (Linear) [outputs, inputs]. */
export type MatrixLayout = "inputs-outputs" | "outputs-inputs";

/** x W + b by the parameters `name`.weight and `name`.bias; without the latter, x W. [N, I] -> [N, O] */
export function project(parameters: Parameters, name: string, x_N_I: Tensor, layout: MatrixLayout): Tensor {
  const weight = parameter(parameters, `${name}.weight`);
  const bias = parameters.get(`${name}.bias`);
  if (layout === "inputs-outputs" && bias !== undefined) return linear(x_N_I, weight, bias);
  const product_N_O = matmul(x_N_I, weight, { transB: layout === "outputs-inputs" });
  return bias === undefined ? product_N_O : add(product_N_O, bias);
}
