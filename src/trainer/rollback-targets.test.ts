import { expect, it } from "vitest";
import { rollbackTargets } from "./rollback-targets.ts";

it("the start stays, one checkpoint is older than what the rules look back on, and at most four are kept", () => {
  const lookBack = 90;
  let targets: number[] = [];
  for (let step = 0; step <= 1000; step += 5) {
    const reach = Math.max(0, step - lookBack);
    targets = rollbackTargets(targets, step, reach);
    expect(targets[0]).toBe(0);
    expect(targets.at(-1)).toBe(step);
    expect(targets.length).toBeLessThanOrEqual(4);
    expect(targets).toEqual([...new Set(targets)].sort((a, b) => a - b));
    // Never much older than needed: what a rollback loses.
    const serves = targets.filter((one) => one <= reach).at(-1)!;
    expect(reach - serves).toBeLessThanOrEqual(lookBack + 10);
  }
});

it("without a long look back the newest two are kept beside the start; a step again replaces what came after it", () => {
  const kept = [0, 50, 100, 150, 200].reduce<number[]>((targets, step) => rollbackTargets(targets, step, step), []);
  expect(kept).toEqual([0, 150, 200]);
  expect(rollbackTargets([0, 50, 100, 150], 100, 80)).toEqual([0, 50, 100]);
});
