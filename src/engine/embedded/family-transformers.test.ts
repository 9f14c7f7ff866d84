/** What Ballast saves of every family, transformers loads: equal logits and scores, whichever spelling of rotary positions it reads. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adam } from "../../../test/support/engine.ts";
import { familyCases, logitsOf, relative, writeCase } from "../../../test/support/family-fixtures.ts";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { missingPython, runPython } from "../../../test/support/python.ts";
import { familyNames } from "../../models/family.ts";
import type { ModelConfig, Sequence } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";

const missing = missingPython(["torch", "transformers"]);

const script = `
import json, os, sys
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
torch.set_num_threads(1)
job = json.load(sys.stdin)

def outputs(kind, folder):
    # A class may have a padding token by default; a run's folder names its tokenizer's.
    model = kind.from_pretrained(folder, attn_implementation="eager", pad_token_id=None).eval()
    with torch.no_grad():
        return [model(torch.tensor([ids])).logits.flatten().tolist() for ids in job["sequences"]]

print(json.dumps({
    "logits": [outputs(AutoModelForCausalLM, folder) for folder in job["models"]],
    "scores": [outputs(AutoModelForSequenceClassification, folder) for folder in job["scored"]],
}))
`;

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

const lengths = [40, 17, 5];
const sequences = lengths.map((length, b) => Array.from({ length }, (_, t) => (7 * t + t * t + b) % 23));
const taught: Sequence[] = sequences.map((tokens) => ({ tokens, start: 1 }));
const weights = taught.map(({ tokens }) => tokens.slice(1).map(() => 0.02));
const small = { vocabularySize: 23, context: 48, width: 16, layers: 2, heads: 2, tieEmbeddings: true };

/** Models as they are published otherwise: a window below the positions, which bounds what is read, and an inner width of its own. */
const others: readonly { readonly title: string; readonly config: ModelConfig }[] = [
  {
    title: "mistral: texts as long as its window",
    config: { ...small, family: "mistral", context: 40, options: { sliding_window: 40, max_position_embeddings: 48 } },
  },
  { title: "gpt2: n_inner", config: { ...small, family: "gpt2", innerWidth: 24 } },
];
const titles = [
  ...familyCases.map(({ title }) => title),
  ...familyNames.map((family) => `${family}: from scratch`),
  ...others.map(({ title }) => title),
];

describe(`transformers${missing}`, () => {
  const models: string[] = [];
  const older: string[] = [];
  const scored: string[] = [];
  const scores: number[][] = [];
  let answer: { readonly logits: number[][][]; readonly scores: number[][][] };

  /** Saves a model after a step of training, again without the newer spelling, and its trunk with a score. */
  async function save(id: string): Promise<void> {
    await core.forwardBackward(id, { name: "cross_entropy", sequences: taught, weights });
    await core.optimStep(id, adam);
    const folder = await core.saveModel(id, temporaryFolder());
    models.push(folder);
    const copy = join(temporaryFolder(), "older");
    mkdirSync(copy);
    cpSync(folder, copy, { recursive: true });
    const json = JSON.parse(readFileSync(join(copy, "config.json"), "utf8")) as Record<string, unknown>;
    const { rope_parameters: _, ...rest } = json;
    writeFileSync(join(copy, "config.json"), JSON.stringify(rest));
    older.push(copy);
    const judge = await core.cloneModel(id, { heads: ["scalar"], scalarInit: "normal", seed: 3 });
    scored.push(await core.saveModel(judge.id, temporaryFolder()));
    const result = await core.forward(judge.id, { sequences: taught, outputs: ["score"] });
    scores.push([...result.scores]);
  }

  beforeAll(async () => {
    if (missing !== "") return;
    for (const one of familyCases) await save((await core.loadModel(writeCase(one, one.config))).id);
    for (const family of familyNames)
      await save((await core.createModel({ config: { ...small, family }, heads: ["lm"], seed: 1 })).id);
    for (const { config } of others) await save((await core.createModel({ config, heads: ["lm"], seed: 1 })).id);
    answer = runPython(script, { models: [...models, ...older], scored, sequences }) as typeof answer;
  }, 300_000);

  test.skipIf(missing !== "").each(titles.map((title, i) => [title, i] as const))("%s", async (_, i) => {
    const ours = await logitsOf(models[i]!, sequences);
    for (const theirs of [answer.logits[i]!, answer.logits[titles.length + i]!])
      for (const [b, rows] of ours.entries()) expect(relative(rows, theirs[b]!)).toBeLessThan(1e-5);
    expect(relative(scores[i]!, answer.scores[i]!.flat())).toBeLessThan(1e-5);
  });
});
