/** Activations by their names in Hugging Face's files. */
import { constant, type Tensor } from "../tensor/graph.ts";
import { add, erf, gelu, mul, sigmoid } from "../tensor/ops.ts";

/** x sigmoid(x) (Elfwing et al. 2017). */
const silu = (x: Tensor) => mul(x, sigmoid(x));

/** x times the normal distribution function at x (Hendrycks and Gimpel 2016), exact. */
const exactGelu = (x: Tensor) => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), constant(1)));

export const activations = {
  silu,
  swish: silu,
  gelu: exactGelu,
  gelu_new: gelu,
  gelu_pytorch_tanh: gelu,
} satisfies Record<string, (x: Tensor) => Tensor>;

export type ActivationName = keyof typeof activations;
