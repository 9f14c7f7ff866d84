/** The studies by name. */
import { batchStudy } from "./batch-study.ts";
import { clipStudy } from "./clip-study.ts";
import { maxNormStudy } from "./max-norm-study.ts";
import { penaltyStudy } from "./penalty-study.ts";
import { scheduleStudy } from "./schedule-study.ts";
import { stagedStudy } from "./staged-study.ts";
import { startStudy } from "./start-study.ts";
import type { Study } from "./study.ts";
import { valueClipStudy } from "./value-clip-study.ts";

export const studies: readonly Study[] = [
  batchStudy,
  scheduleStudy,
  maxNormStudy,
  valueClipStudy,
  clipStudy,
  stagedStudy,
  startStudy,
  penaltyStudy,
];
