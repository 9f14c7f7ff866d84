/** `ballast extend`: trains a finished run further, as one that was as long from the beginning. */
import { lengthKeys, lengthOf } from "../../../config/extend.ts";
import { configOf, findRun } from "../../../inspect/places.ts";
import { type Stage, stages } from "../../../types/records.ts";
import { UsageError } from "../../../util/errors.ts";
import type { Terminal } from "../../terminal.ts";
import { type ResumeOptions, resume } from "../resume/index.ts";

export interface ExtendOptions extends Pick<ResumeOptions, "wait" | "dashboard" | "as" | "json"> {
  /** A run's id or folder. */
  readonly run: string;
  /** How many iterations (steps of SFT and the reward model) to add. */
  readonly by?: number;
  /** How many it is to have in all. */
  readonly to?: number;
  /** The stage; default: the run's last. */
  readonly stage?: Stage;
  readonly workspace: string;
  readonly terminal: Terminal;
}

export async function extend({ by, to, stage, ...options }: ExtendOptions): Promise<number> {
  const { run, workspace } = options;
  const config = configOf(findRun(run, workspace));
  const longer = stage ?? stages.findLast((one) => config[one] !== undefined)!;
  if (config[longer] === undefined) throw new UsageError(`run ${run} has no ${longer}`, "Leave --stage out.");
  if ((by === undefined) === (to === undefined))
    throw new UsageError(
      by === undefined ? "how much longer?" : "--by and --to exclude each other",
      "Give --by N, to add N, or --to N, to have N in all.",
    );
  const before = lengthOf(config, longer);
  const length = to ?? before + by!;
  if (length <= before)
    throw new UsageError(`${longer} has ${before} already, and is to have ${length}`, "Give more, or use --by.");
  return resume({ ...options, overrides: [`${lengthKeys[longer]}=${length}`] });
}
