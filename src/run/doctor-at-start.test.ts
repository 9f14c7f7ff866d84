import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/store.ts";
import { configSchema } from "../config/index.ts";
import type { Judged } from "../control/doctor/index.ts";
import { buildTokenizer } from "../text/index.ts";
import { openRows } from "../trainer/run-rows.ts";
import type { Recorder } from "../types/run-recorder.ts";
import { examineAtStart } from "./doctor-at-start.ts";

/** What a run that starts with these settings records, and the ids in its doctor.json. */
async function started(ppo: object, others: object = {}) {
  const folder = temporaryFolder();
  const prompts = join(folder, "prompts.jsonl");
  writeFileSync(prompts, Array.from({ length: 40 }, (_, i) => `${JSON.stringify({ prompt: `say ${i}` })}\n`).join(""));
  const rewards = [{ kind: "length", max: 4 }, { kind: "repetition" }];
  const config = configSchema.parse({
    objective: "prefer a question over a guess",
    ppo: { policy: join(folder, "none"), rewards, prompts: { path: prompts }, ...ppo },
    ...others,
  });
  const events: { kind: string; message: string; data?: { finding?: { id: string } } }[] = [];
  const recorder = { event: (event: (typeof events)[number]) => events.push(event) } as unknown as Recorder;
  const tokenizer = buildTokenizer({ kind: "word", vocabularySize: 8 }, ["say it"]);
  await examineAtStart(config, { folder, recorder, rows: openRows(config), tokenizer });
  const file = () => JSON.parse(readFileSync(join(folder, "doctor.json"), "utf8")) as Judged[];
  return { events, file };
}

it("an error is a warning of the run, a warning a note, and doctor.json has all findings", async () => {
  const { events, file } = await started({ sequences: 4, minibatches: 1, criticLearningRate: 1e-12 });
  const kinds = Object.fromEntries(events.map(({ kind, data }) => [data?.finding?.id, kind]));
  expect(kinds).toMatchObject({ "batch/tiny_step": "warning", "critic/slow": "note" });
  expect(events[0]!.message).toMatch(
    /^ONLY 4 sequences a step .* What to do: ppo\.sequences=256.*\(batch\/tiny_step\)$/,
  );
  const found = file();
  expect(found.map(({ id }) => id)).toEqual(expect.arrayContaining(["batch/tiny_step", "critic/slow"]));
  for (const { id } of events.flatMap(({ data }) => data?.finding ?? []))
    expect(found.some((one) => one.id === id)).toBe(true);
});

it("what the configuration explains is not told", async () => {
  const explain = { "batch/tiny_step": "a test" };
  const { events, file } = await started({ sequences: 4, minibatches: 1 }, { doctor: { explain } });
  expect(events.some(({ data }) => data?.finding?.id === "batch/tiny_step")).toBe(false);
  expect(file().find(({ id }) => id === "batch/tiny_step")?.explained).toBe("a test");
});

it("a configuration that cannot be judged starts all the same", async () => {
  const { events } = await started({}, { experiment: { stage: 1, previous: "gone.yaml" } });
  expect(events).toMatchObject([{ kind: "note", message: expect.stringMatching(/could not judge .* gone\.yaml/) }]);
});

it("a run without PPO is not examined", async () => {
  const folder = temporaryFolder();
  const config = configSchema.parse({ objective: "x", demo: { task: "helpdesk" }, sft: { steps: 1 } });
  await examineAtStart(config, { folder, recorder: {} as Recorder, rows: openRows(config), tokenizer: {} as never });
});
