/** Everything in a run's folder belongs to it, and the record is never behind it: otherwise a resume is refused. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { MemoryStore } from "../../test/support/memory-recorder.ts";
import { newWorld, type World } from "../../test/support/stage.ts";
import { carryOutRollback } from "../incidents/rollback.ts";
import { runPipeline } from "../run/pipeline.ts";
import { configSchema } from "../settings/config-schema.ts";
import { Interrupted } from "../util/errors.ts";
import { verifyFolder } from "./atomic-folder.ts";

interface Sft {
  readonly world: World;
  /** Steps after which it is interrupted. */
  readonly until?: number;
  readonly resume?: boolean;
  readonly words?: readonly string[];
  readonly onCommit?: (flush: boolean) => void;
}

/** Six steps of SFT with a checkpoint every second one. */
async function sft({ world, until = 99, resume = false, words = ["red", "blue"], onCommit = () => {} }: Sft) {
  const path = join(world.folder, "rows.jsonl");
  const rows = words.map((word) => `${JSON.stringify({ prompt: `say ${word}`, completion: word })}\n`);
  writeFileSync(path, rows.join(""));
  const recorder = world.store.recorder();
  const commit = recorder.commit.bind(recorder);
  recorder.commit = ({ flush = false }: { flush?: boolean } = {}) => {
    commit();
    onCommit(flush);
  };
  let done = 0;
  return runPipeline({
    config: configSchema.parse({
      objective: "say it",
      tokenizer: { kind: "word", vocabularySize: 40 },
      model: { context: 24 },
      sft: { data: { path }, steps: 6, batchSize: 2, checkpointEvery: 2, evaluationShare: 0 },
    }),
    folder: world.folder,
    recorder,
    engine: new BigramEngine(),
    resume,
    onProgress: ({ step }) => {
      done = step;
    },
    interrupted: () => done >= until,
  });
}

async function begun(words?: readonly string[]): Promise<World> {
  const world = newWorld();
  await expect(sft({ world, until: 3, words })).rejects.toThrow(Interrupted);
  return world;
}

const names = (world: World) => readdirSync(join(world.folder, "sft")).sort();

describe("a resume", () => {
  it("refuses a checkpoint that was copied in from another run, and leaves it where it is", async () => {
    const [world, other] = [await begun(), await begun()];
    const name = "checkpoint-000003";
    rmSync(join(world.folder, "sft", name), { recursive: true });
    cpSync(join(other.folder, "sft", name), join(world.folder, "sft", name), { recursive: true });
    const before = names(world);
    await expect(sft({ world, resume: true })).rejects.toThrow(/cannot continue from .*checkpoint-000003: it belongs/);
    expect(names(world)).toEqual(before);
  });

  it("refuses another run's result of a stage", async () => {
    const [world, other] = [await begun(), newWorld()];
    await sft({ world: other });
    cpSync(join(other.folder, "sft", "final"), join(world.folder, "sft", "final"), { recursive: true });
    await expect(sft({ world, resume: true })).rejects.toThrow(/final is not of this run: it belongs to the run/);
  });

  it("refuses models whose tokenizer differs from the run's now", async () => {
    const [world, other] = [await begun(), await begun(["green", "grey"])];
    rmSync(join(world.folder, "tokenizer"), { recursive: true });
    cpSync(join(other.folder, "tokenizer"), join(world.folder, "tokenizer"), { recursive: true });
    // As if someone had been told that the manifest is in the way.
    rmSync(join(world.folder, "manifest.json"));
    await expect(sft({ world, resume: true })).rejects.toThrow(/its models were trained with a tokenizer that differs/);
  });

  it("refuses an edited tokenizer although every manifest of it was deleted", async () => {
    const world = await begun();
    const path = join(world.folder, "tokenizer", "tokenizer.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"red"', '"rad"'));
    rmSync(join(world.folder, "tokenizer", "manifest.json"));
    rmSync(join(world.folder, "manifest.json"));
    await expect(sft({ world, resume: true })).rejects.toThrow(/its models were trained with a tokenizer that differs/);
  });

  it("refuses a tokenizer whose vocabulary was edited", async () => {
    const world = await begun();
    writeFileSync(join(world.folder, "tokenizer", "tokenizer.json"), "{}");
    await expect(sft({ world, resume: true })).rejects.toThrow(/tokenizer is damaged: tokenizer\.json has 2 bytes/);
  });

  it.each([
    ["older than the folder", (store: MemoryStore) => void store.metrics.splice(1)],
    ["emptied", (store: MemoryStore) => void store.metrics.splice(0)],
  ])("refuses a record that is %s, and goes on once the checkpoints are away", async (_, lose) => {
    const world = await begun();
    lose(world.store);
    await expect(sft({ world, resume: true })).rejects.toThrow(
      /the database has nothing of sft 2, and .*000003 has it/,
    );
    for (const name of names(world)) renameSync(join(world.folder, "sft", name), join(world.folder, name));
    await sft({ world, resume: true });
    expect([...world.store.curve("sft").keys()]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("of a finished stage refuses a record that ends before it", async () => {
    const world = newWorld();
    await sft({ world });
    await expect(sft({ world: { ...world, store: new MemoryStore() }, resume: true })).rejects.toThrow(
      /the database has nothing of sft 5, and .*final has it/,
    );
  });
});

it("the record of a checkpoint and of a finished stage is on the disk before the folder has its name", async () => {
  const world = newWorld();
  const seen: string[] = [];
  const folder = (name: string) => join(world.folder, "sft", name);
  await sft({
    world,
    onCommit: (flush) => {
      if (!flush) return;
      const { kind, iteration } = world.store.events.at(-1)!;
      const name = kind === "checkpoint" ? `checkpoint-${String(iteration).padStart(6, "0")}` : "final";
      seen.push(`${kind} ${iteration} ${existsSync(folder(name)) ? "too late" : "in time"}`);
      expect(existsSync(folder(`.${name}.new`))).toBe(true);
    },
  });
  expect(seen).toEqual([
    "checkpoint 2 in time",
    "checkpoint 4 in time",
    "checkpoint 6 in time",
    "stage_finished 6 in time",
  ]);
});

it("a rollback that was cut short by an earlier version is told with what to do", async () => {
  const folder = join(newWorld().folder, "ppo");
  mkdirSync(folder);
  writeFileSync(join(folder, "rollback.json"), '{"to": 5');
  await expect(carryOutRollback(folder, 2)).rejects.toMatchObject({
    message: expect.stringMatching(/rollback\.json is damaged/),
    hint: expect.stringContaining("delete it"),
  });
});

describe("a folder that Ballast wrote", () => {
  it("is verified before a model in it is loaded, a checkpoint's policy by the checkpoint's manifest", async () => {
    const world = await begun();
    const model = join(world.folder, "sft", "checkpoint-000003", "model");
    await verifyFolder(model);
    await verifyFolder(`${model}/`);
    writeFileSync(join(model, "config.json"), "{}");
    await expect(verifyFolder(model)).rejects.toThrow("checkpoint-000003 is damaged: model/config.json has 2 bytes");
  });

  it("is told from one with another program's manifest, which passes", async () => {
    const world = newWorld();
    for (const text of ["no JSON", "null", "{}", '{"files": ["model.safetensors"]}']) {
      writeFileSync(join(world.folder, "manifest.json"), text);
      await verifyFolder(world.folder);
    }
  });
});
