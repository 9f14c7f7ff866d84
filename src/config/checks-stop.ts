/** Checks of `ppo.stop.when`: each signal exists, has one threshold and is measured by the run. */

import type { Config } from "../settings/config-schema.ts";
import { isKnownSignal, signalKeys } from "../signals/known-signals.ts";
import { nearest } from "../util/nearest.ts";
import { type Problem, problem } from "./problems.ts";

export function checkStop({ ppo, control }: Config): { errors: Problem[]; warnings: Problem[] } {
  const errors = (ppo?.stop.when ?? []).flatMap(({ signal, above, below, for: times }, i) => {
    const at = `ppo.stop.when.${i}`;
    const wrong: Problem[] = [];
    if (!isKnownSignal(signal)) {
      const near = nearest(signal, signalKeys);
      const advice = near ? `did you mean ${near}?` : "docs/metrics.md lists all";
      wrong.push(problem(`${at}.signal`, `${at}: there is no signal ${signal}; ${advice}`));
    } else if (signal.startsWith("step/"))
      wrong.push(
        problem(
          `${at}.signal`,
          `${at}: ${signal} is measured at each step; a target needs a signal measured once an iteration`,
        ),
      );
    if ((above === undefined) === (below === undefined))
      wrong.push(problem(at, `${at}: a target needs one threshold, above or below`));
    if (signal.startsWith("monitor/") && control.monitor.every === 0)
      wrong.push(problem(`${at}.signal`, `${at}: ${signal} is never measured; set control.monitor.every above 0`));
    const measurements = signal.startsWith("monitor/") ? control.monitor.every || 1 : 1;
    if (times * measurements > ppo!.iterations)
      wrong.push(
        problem(
          `${at}.for`,
          `${at}: ${times} measurements in a row take ${times * measurements} iterations, and the run has ${ppo!.iterations}`,
        ),
      );
    return wrong;
  });
  return { errors, warnings: [] };
}
