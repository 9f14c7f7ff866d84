/** `npm run bench:controller`: what the stability controller and the pass after the last step cost, as shares of an iteration. */
import { defaultThreads } from "../src/util/threads.ts";
import { startEngine } from "./engine.ts";
import { benchIteration } from "./iteration.ts";
import { type ShapeName, shapes } from "./shapes.ts";

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
const [chosen = "small"] = process.argv.slice(2);
process.stdout.write("shape      epochs  minibatches  iteration  controller  pass after the last step\n");
for (const name of chosen.split(",") as ShapeName[]) {
  for (const [epochs, minibatches] of [
    [4, 4],
    [1, 1],
  ] as const) {
    const engine = await startEngine(defaultThreads());
    const shape = { ...shapes[name], epochs, minibatches, iterations: 4 };
    const { total, control, lastPass } = await benchIteration(engine, shape, { controlled: true });
    await engine.close();
    const cells = [name.padEnd(9), epochs, minibatches, `${total.toFixed(2)} s`, percent(control / total)];
    process.stdout.write(`${[...cells, percent(lastPass / total)].join("  ")}\n`);
  }
}
