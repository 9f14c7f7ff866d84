/** The context that every stage is given. */

import type { RunOrigin } from "../config/run-manifest.ts";
import type { Engine } from "../engine/engine.ts";
import type { Config } from "../settings/config-schema.ts";
import type { Tokenizer } from "../text/index.ts";
import type { Stage } from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";
import type { Progress } from "./run-types.ts";

export interface StageContext {
  readonly stage: Stage;
  readonly config: Config;
  /** The stage's folder, inside the run's: it has checkpoints, dumps and `final`. */
  readonly folder: string;
  readonly engine: Engine;
  readonly recorder: Recorder;
  readonly tokenizer: Tokenizer;
  /** Continue from the newest checkpoint in the folder, if there is one. */
  readonly resume: boolean;
  readonly onProgress: (progress: Progress) => void;
  readonly interrupted: () => boolean;
  /** Wait for the operator's decision on an incident; otherwise the run ends, and continues when it is resumed. */
  readonly wait: boolean;
  /** The run's origin, saved with everything that the stage saves; without it nothing is checked. */
  readonly origin?: RunOrigin;
}
