/** The autodiff front end: lazy graphs, their gradients, ONNX, and sessions that run them. */

export * from "./gradients.ts";
export * from "./graph.ts";
export * from "./lower.ts";
export * from "./onnx.ts";
export * from "./ops.ts";
export * from "./peak-memory.ts";
export * from "./recompute.ts";
export * from "./runtime.ts";
export * from "./session.ts";
