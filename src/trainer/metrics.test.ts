import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { measured } from "../../test/support/measuring.ts";
import { runPpo } from "../../test/support/run-ppo.ts";
import { newWorld, openContext, sizes, startFolder, tokenizer, type World } from "../../test/support/stage.ts";
import { encodePair, encodeSft } from "../data/index.ts";
import { trainReward } from "./reward-model.ts";
import { trainSft } from "./sft.ts";

const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
const [, ofStages] = page.split(/^## Recorded by the stages/m) as [string, string];
const keysOf = (text: string) => [...text.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1]!);
const sectionOf = (title: string) => ofStages.split(`### ${title}\n`)[1]!.split("###")[0]!;

/** Keys that a stage recorded besides PPO's signals, under the names in docs/metrics.md. */
function recorded(world: World): string[] {
  const signals = new Set(keysOf(page.split(/^## Recorded by the stages/m)[0]!));
  const named = world.store.metrics
    .flatMap(({ values }) => Object.keys(values))
    .map((key) => key.replace(/^reward\/component\/only_/, "reward/component/<name>_"))
    .map((key) => (/^settings\/(?!(policy_|critic_|)learning_rate$)/.test(key) ? "settings/<setting>" : key))
    .map((key) => key.replace(/^health\/(?!total)\w+$/, "health/<part>"))
    .map((key) => key.replace(/^monitor\/(?!gold(_se)?$|score$|check_fall(_errors)?$).*/, "monitor/<check>"))
    .map((key) => key.replace(/^robustness\/(?!worst_)[a-z]+_/, "robustness/<perturbation>_"))
    .map((key) => key.replace(/^gold\/(?!mean$).*/, "gold/<check>"))
    .map((key) => key.replace(/^(gradient\/(?:policy|critic))\/.*_/, "$1/<group>_"))
    .map((key) => key.replace(/_prompt_\d+$/, "_prompt_<n>"));
  return [...new Set(named)].filter((key) => !signals.has(key)).sort();
}

const row = { prompt: [{ role: "user" as const, content: "c" }], completion: "a", chosen: "a", rejected: "b d" };
const encode = { context: 32, longPrompts: "error" } as const;

it("docs/metrics.md has a line for every key of PPO, and no line for another", async () => {
  const penalty = { policyLoss: "penalty", penalty: { target: 0.01 } };
  const { world } = await runPpo({
    ppo: { ...penalty, kl: { target: 0.1 }, slowCritic: {}, rewardSamples: 4 },
    measuring: measured(),
    control: { probes: { every: 1 }, noise: { every: 1 }, monitor: {}, robustness: {} },
  });
  // These two belong to the reward model and the evaluation, which the pipeline's tests cover; the third to runs without a target.
  const elsewhere = keysOf(sectionOf("PPO")).filter((key) => /outside_training|^evaluation|ref_untargeted/.test(key));
  expect([...recorded(world), ...elsewhere].sort()).toEqual(
    [...keysOf(sectionOf("PPO")), ...keysOf(sectionOf("Every stage"))].sort(),
  );
});

it("and of SFT", async () => {
  const world = newWorld();
  const context = openContext(world, "sft", { sft: { steps: 2 } });
  const rows = [encodeSft(row, tokenizer, encode)!];
  await trainSft(context, { settings: context.config.sft!, source: { sizes }, train: rows, heldOut: rows });
  const documented = ["SFT", "SFT and reward model", "Every stage"].flatMap((title) => keysOf(sectionOf(title)));
  expect(recorded(world)).toEqual(documented.sort());
});

it("and of the reward model", async () => {
  const world = newWorld();
  const context = openContext(world, "reward", { reward: { steps: 2, normalisationSamples: 2 } });
  const rows = [encodePair(row, tokenizer, encode)!];
  const source = { folder: await startFolder(world) };
  await trainReward(context, {
    settings: context.config.reward!,
    source,
    train: rows,
    heldOut: rows,
    normalisation: null,
  });
  const documented = ["Reward model", "SFT and reward model", "Every stage"].flatMap((title) =>
    keysOf(sectionOf(title)),
  );
  expect(recorded(world)).toEqual(documented.sort());
});

it("examples in docs/ and docstrings read and write keys that there are", () => {
  const root = new URL("../../", import.meta.url);
  const pages = readdirSync(new URL("docs/", root)).filter((name) => name.endsWith(".md"));
  const files = [...pages.map((name) => `docs/${name}`), "README.md", "src/store/store.ts", "src/store/recorder.ts"];
  const examples = files.flatMap((file) => {
    const text = readFileSync(new URL(file, root), "utf8");
    return [...text.matchAll(/(?:series|metrics)\([^)\n]*?"(\w+\/\w+)"/g)].map((match) => match[1]!);
  });
  expect(examples.length).toBeGreaterThan(1);
  expect(examples.filter((key) => !keysOf(page).includes(key))).toEqual([]);
});
