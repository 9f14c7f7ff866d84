/** Projections: a hidden state times a parameter matrix, plus a bias if the parameters have one. */
import type { Tensor } from "../tensor/graph.ts";
import { add, linear, matmul, mul } from "../tensor/ops.ts";
import { factorNames, type MatrixLayout } from "./adapter.ts";
import { type Parameters, parameter } from "./parameters.ts";

/**
 * x W + b by the parameters `name`.weight and `name`.bias; without the latter, x W. If the parameters hold an adapter of this projection, plus scale
 * (x A^T) B^T. [N, I] -> [N, O]
 */
export function project(parameters: Parameters, name: string, x_N_I: Tensor, layout: MatrixLayout): Tensor {
  const y_N_O = withoutAdapter(parameters, name, x_N_I, layout);
  const { a, b, scale } = factorNames(name);
  const a_R_I = parameters.get(a);
  if (a_R_I === undefined) return y_N_O;
  const low_N_R = mul(matmul(x_N_I, a_R_I, { transB: true }), parameter(parameters, scale));
  return add(y_N_O, matmul(low_N_R, parameter(parameters, b), { transB: true }));
}

function withoutAdapter(parameters: Parameters, name: string, x_N_I: Tensor, layout: MatrixLayout): Tensor {
  const weight = parameter(parameters, `${name}.weight`);
  const bias = parameters.get(`${name}.bias`);
  if (layout === "inputs-outputs" && bias !== undefined) return linear(x_N_I, weight, bias);
  const product_N_O = matmul(x_N_I, weight, { transB: layout === "outputs-inputs" });
  return bias === undefined ? product_N_O : add(product_N_O, bias);
}
