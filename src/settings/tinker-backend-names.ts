/** Kinds of servers of Tinker's protocol, each with a row in engine/tinker/tinker-backends.ts. */
export const tinkerBackendNames = ["hosted", "skyrl-jax", "skyrl-train"] as const;
export type TinkerBackendName = (typeof tinkerBackendNames)[number];
