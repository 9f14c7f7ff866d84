/** The algorithms of the online stage by their names in the configuration (`ppo.algorithm`). */
import type { AlgorithmName } from "../settings/algorithm-names.ts";
import type { Algorithm } from "./algorithm.ts";
import { grpo } from "./grpo.ts";
import { ppo } from "./ppo.ts";
import { rloo } from "./rloo.ts";

export const algorithms: Readonly<Record<AlgorithmName, Algorithm>> = { ppo, rloo, grpo };
