/** A run killed at any instant and resumed ends like an uninterrupted one: the same weights to the bit, the same metrics. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../../src/store/index.ts";
import { ballast, type Ended, metricsOf, start, tinyFolder, weights } from "./ballast.ts";

/** The run's time is divided into this many parts, and in each a run is killed at a random instant; one in CI, 25 in `npm run test:full`. */
const parts = process.env.MODE === "full" ? 25 : 1;

const folder = tinyFolder();
const runs = join(folder, "runs");
let whole: Ended;

beforeAll(async () => {
  whole = await ballast(folder, "run", "tiny.yaml", "threads=2", "name=whole");
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the program and kills it after this many seconds, unless it has ended by then. */
async function killed(seconds: number, ...args: string[]): Promise<Ended> {
  const run = start(folder, ...args);
  const timer = setTimeout(() => run.child.kill("SIGKILL"), seconds * 1000);
  const ended = await run.ended;
  clearTimeout(timer);
  return ended;
}

/** The run with that name, if it has begun. */
function begun(name: string): string | undefined {
  const ids = existsSync(runs) ? readdirSync(runs).filter((id) => id.startsWith(`${name}-`)) : [];
  return ids.find((id) => existsSync(join(runs, id, "config.json")));
}

/** Checkpoints and results in a run's folder whose event is not in the database. */
function unrecorded(id: string | undefined): string[] {
  const saved = ["sft", "reward", "ppo"]
    .filter((stage) => id !== undefined && existsSync(join(runs, id, stage)))
    .flatMap((stage) => readdirSync(join(runs, id!, stage)).map((name) => `${stage}/${name}`))
    .filter((path) => /\/(checkpoint-\d+|final)$/.test(path));
  if (saved.length === 0) return [];
  const store = openStore(join(runs, "ballast.db"), { readonly: true });
  const events = store.events(id!, { limit: 100_000 }).rows;
  store.close();
  const known = events.flatMap(({ kind, stage, iteration }) => {
    if (kind === "stage_finished") return [`${stage}/final`];
    return kind === "checkpoint" ? [`${stage}/checkpoint-${String(iteration).padStart(6, "0")}`] : [];
  });
  return saved.filter((path) => !known.includes(path));
}

describe("kill -9, then resume", () => {
  it("runs to its end when nobody kills it", () => {
    expect(whole.code, whole.stderr).toBe(0);
    expect(metricsOf(runs, "whole-1").size).toBeGreaterThan(500);
  });

  it.each(Array.from({ length: parts }, (_, part) => part))(
    "in part %i of the run, and once more after that",
    async (part) => {
      const name = `part${part}`;
      const instants = [whole.seconds * ((part + Math.random()) / parts), whole.seconds * Math.random()];
      let last: Ended | undefined;
      for (const seconds of [...instants, 120]) {
        const id = begun(name);
        last = await killed(seconds, ...(id ? ["resume", id] : ["run", "tiny.yaml", "threads=2", `name=${name}`]));
        if (last.code === 0) break;
        expect(last.signal, last.stderr).toBe("SIGKILL");
        expect(unrecorded(begun(name)), `what the record does not know, killed after ${seconds} s`).toEqual([]);
      }
      const where = `killed after ${instants.map((instant) => `${instant.toFixed(3)} s`).join(" and ")}\n${last?.stderr}`;
      expect(last?.code, where).toBe(0);
      const id = begun(name) as string;
      for (const stage of ["sft", "reward", "ppo"]) {
        const same = weights(join(runs, id), stage).equals(weights(join(runs, "whole-1"), stage));
        expect(same, `weights of ${stage}, ${where}`).toBe(true);
      }
      expect(metricsOf(runs, id), where).toEqual(metricsOf(runs, "whole-1"));
    },
    120_000,
  );
});
