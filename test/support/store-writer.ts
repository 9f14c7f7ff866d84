/**
 * A process that records whole iterations until it is killed: `store-writer.ts DATABASE RUN`. Every attempt begins three iterations before the newest
 * one; every value of an iteration is 1,000 times its attempt plus the iteration.
 */
import { openStore } from "../../src/store/index.ts";
import type { SampleRecord } from "../../src/types/records.ts";

const [path, runId] = process.argv.slice(2) as [string, string];
const store = openStore(path);
const newest = store.run(runId)!.position?.iteration ?? -1;
const first = Math.max(0, newest - 2);
const attempt = store.startAttempt(runId, { begins: { stage: "ppo", iteration: first } });
const recorder = store.recorder(runId, attempt);
for (let iteration = first; ; iteration++) {
  const value = 1000 * attempt + iteration;
  const metrics = Object.fromEntries(Array.from({ length: 40 }, (_, key) => [`metric/${key}`, value]));
  recorder.metrics("ppo", iteration, metrics);
  for (let i = 0; i < 3; i++)
    recorder.event({ kind: "note", stage: "ppo", iteration, message: `${value}`, data: { value } });
  recorder.setting({ stage: "ppo", iteration, key: "klCoef", before: 0, value, cause: "controller" });
  const numbers = Array.from({ length: 300 }, () => value);
  const sample: Omit<SampleRecord, "index"> = {
    prompt: "p".repeat(500),
    response: "r".repeat(500),
    score: value,
    components: { learned: value },
    kl: value,
    stopReason: "stop",
    tokens: numbers.map(String),
    logprobs: numbers,
    refLogprobs: numbers,
    values: numbers,
    advantages: numbers,
    reason: "chosen",
  };
  recorder.samples("ppo", iteration, [
    { ...sample, index: 0 },
    { ...sample, index: 1 },
  ]);
  recorder.commit();
  if (iteration === first) process.stdout.write(`${first}\n`);
}
