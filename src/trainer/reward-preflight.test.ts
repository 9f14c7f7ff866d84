import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { RewardFacts } from "../control/doctor/facts.ts";
import { rewardFindings } from "../control/doctor/reward-findings.ts";
import type { Engine, StopReason } from "../engine/engine.ts";
import { createReward } from "../reward/index.ts";
import { ppoSchema } from "../settings/config-schema.ts";
import { measureReward } from "./reward-preflight.ts";
import { type Rollout, scoredRows } from "./rollout.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-preflight-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** 64 answers of 1 to 8 letters. */
function rolloutOf(truncated = 0): Rollout {
  const texts = Array.from({ length: 64 }, (_, i) => "abcdefgh".slice(0, 1 + (i % 8)));
  return {
    prompts: texts.map((_, i) => ({
      row: { prompt: [{ role: "user", content: `${i}?` }], reference: null },
      tokens: [1],
    })),
    responses_B_T: texts.map((text) => [...text].map(() => 1)),
    stopReasons: texts.map((_, i): StopReason => (i < truncated ? "length" : "stop")),
    endsWithEos: texts.map((_, i) => i >= truncated),
    texts,
    sequences: [],
    samplerLogprobs_B_T: [],
  };
}

let files = 0;
/** What is found of a function that is left as it is, or that is normalised first. */
async function found(
  code: string,
  {
    truncated = 0,
    ppo = {},
    normalise = false,
    pairs = null,
  }: { truncated?: number; ppo?: object; normalise?: boolean; pairs?: RewardFacts["pairs"] } = {},
) {
  const path = join(folder, `${files++}.ts`);
  writeFileSync(path, code);
  const settings = ppoSchema.parse({ rewards: [{ kind: "function", path, normalise }], ...ppo });
  const reward = createReward({ components: settings.rewards, engine: {} as Engine });
  try {
    await reward.scaling?.scaleOn(scoredRows(rolloutOf(truncated)));
    const facts = await measureReward(reward, { rollout: rolloutOf(truncated), settings, pairs });
    return rewardFindings({ reward: facts });
  } finally {
    await reward.close();
  }
}
const ids = async (...options: Parameters<typeof found>) => (await found(...options)).map(({ id }) => id);
const fair = "({ response }) => response.length / 2 - 2.25";

it("a fair reward has no finding, a verifier that is passed now and then neither", async () => {
  expect(await ids(`export default ${fair};`)).toEqual([]);
  expect(await ids("export default ({ response }) => response.length === 3 ? 1 : 0;")).toEqual([]);
});

it.each([
  ["the score x1000", `export default (x) => 1000 * (${fair})(x);`, {}, ["reward/scale"]],
  ["the score + 100", `export default (x) => 100 + (${fair})(x);`, {}, ["reward/offset"]],
  ["the score + 5", `export default (x) => 5 + (${fair})(x);`, {}, ["reward/offset"]],
  ["maxNewTokens too short", `export default ${fair};`, { truncated: 20 }, ["reward/truncated"]],
  ["a score that rises with each call", "let n = 0; export default () => n++ / 100;", {}, ["reward/unrepeatable"]],
  ["a random score", "export default () => Math.random();", {}, ["reward/unrepeatable"]],
  ["a constant score", "export default () => 0.5;", {}, ["reward/constant"]],
  [
    "a verifier that is never passed",
    "export default ({ response }) => (response === 'z' ? 1 : 0);",
    {},
    ["reward/constant"],
  ],
  ["one success in 64", "export default ({ prompt }) => (prompt === '7?' ? 1 : -1);", {}, ["reward/rare_success"]],
  ["two in 64", "export default ({ prompt }) => Number(/^[78][?]/.test(prompt));", {}, ["reward/rare_success"]],
  ["four in 64", "export default ({ prompt }) => Number(/^[5-8][?]/.test(prompt));", {}, ["reward/sparse"]],
  [
    "a score that depends on the order",
    "export const batch = true; export default (all) => all.map((_, i) => i / 32 - 1);",
    {},
    ["reward/call_order"],
  ],
] as const)("%s is found before anything trains", async (_, code, options, expected) => {
  expect(await ids(code, options)).toEqual(expected);
});

it.each([
  ["x1000", `export default (x) => 1000 * (${fair})(x);`, ["reward/scale"]],
  ["+ 100", `export default (x) => 100 + (${fair})(x);`, ["reward/offset"]],
  ["as it should be", `export default ${fair};`, ["reward/normalised"]],
  ["a verdict", "export default ({ response }) => response.length === 3 ? 1 : 0;", []],
  ["constant", "export default () => 100;", ["reward/constant", "reward/offset"]],
  [
    "rising with each call",
    "let n = 0; export default () => n++ / 100;",
    ["reward/offset", "reward/normalised", "reward/unrepeatable"],
  ],
])("of a function that is normalised, %s is said with what becomes of it", async (_, code, expected) => {
  expect((await found(code, { normalise: true })).map(({ id }) => id)).toEqual(expected);
});

it("a reward that ranks held-out pairs hardly better than chance is found, one that ranks six in ten is not", async () => {
  const code = `export default ${fair};`;
  const [finding] = await found(code, { pairs: { count: 64, accuracy: 0.484 } });
  expect(finding).toMatchObject({ id: "reward/inaccurate", severity: "warning" });
  expect(finding!.what).toBe(
    "the reward ranks 48% of 64 held-out pairs as their labels do; half of them would be chance",
  );
  expect(await ids(code, { pairs: { count: 64, accuracy: 0.6 } })).toEqual([]);
});

it("says that a score rises with the calls, and knows settings that allow an offset", async () => {
  expect((await found("let n = 0; export default () => n++ / 100;"))[0]!.what).toMatch(
    /depends on the number of calls/,
  );
  const offset = `export default (x) => 5 + (${fair})(x);`;
  expect(await ids(offset, { ppo: { valueClip: null } })).toEqual([]);
  expect(await ids(offset, { ppo: { algorithm: "grpo", responsesPerPrompt: 8 } })).toEqual([]);
});
