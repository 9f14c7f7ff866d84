/** What every stage is given. */

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
  /** The stage's own, below the run's: checkpoints, dumps and `final` lie in it. */
  readonly folder: string;
  readonly engine: Engine;
  readonly recorder: Recorder;
  readonly tokenizer: Tokenizer;
  /** Go on from the newest checkpoint in the folder, where there is one. */
  readonly resume: boolean;
  readonly onProgress: (progress: Progress) => void;
  readonly interrupted: () => boolean;
  /** Wait for a person's decision on an incident; without it the run ends, and goes on when it is resumed. */
  readonly wait: boolean;
  /** Of the run, to be saved with what the stage saves; without it nothing is checked. */
  readonly origin?: RunOrigin;
}
