/** A configuration with what the machine and the model's folder decide. */
import { type Config, withModelSizes } from "../config/index.ts";
import { defaultThreads } from "../util/threads.ts";

/** The configuration with its number of threads, and the sizes of the model in `model.path`. */
export function completed(config: Config): Config {
  return withModelSizes({ ...config, threads: config.threads || defaultThreads() });
}
