/** Checks between fields: model, tokenizer and the source of each stage's rows. */

import { isHubReference } from "../hub/index.ts";
import { optionalSizes } from "../models/architecture.ts";
import { architectureOf, families, familyNames, scratchConfig } from "../models/family.ts";
import { parameterCount, whyTooLarge } from "../models/model-size.ts";
import {
  type Config,
  type ModelSection,
  modelSchema,
  tinkerSettings,
  torchSettings,
} from "../settings/config-schema.ts";
import { schemeOf } from "../settings/model-reference.ts";
import { tinkerBackendNames } from "../settings/tinker-backend-names.ts";
import { multiplesNear } from "../util/nearest.ts";
import { checkPpo } from "./checks-ppo.ts";
import { checkStepSchedule } from "./checks-steering.ts";
import { checkStop } from "./checks-stop.ts";
import { checkFaults } from "./fault-names.ts";
import { type Checked, type Given, inList, type Problem, problem } from "./problems.ts";

/** Every contradiction (errors) and every setting without effect (warnings) in a configuration whose single values are valid. */
export function checkConfig(config: Config, given: Given): Checked {
  const parts = [
    { errors: checkEngines(config, given), warnings: checkServerOnly(config) },
    checkModel(config, given),
    { errors: checkLora(config), warnings: [] },
    checkTokenizer(config, given),
    checkRows(config, given),
    checkPpo(config, given),
    checkStop(config),
    checkStepSchedule(config, given),
    { errors: checkFaults(config), warnings: [] },
  ];
  return { errors: parts.flatMap(({ errors }) => errors), warnings: parts.flatMap(({ warnings }) => warnings) };
}

/** Settings of one kind of engine mean nothing to the others. */
function checkEngines({ engine, model }: Config, given: Given): Problem[] {
  const choices = {
    engine,
    "engine.reference": engine.reference,
    "engine.critic": engine.critic,
    "engine.reward": engine.reward,
  };
  const kinds = [
    { kind: "torch", what: "the PyTorch engine", settings: torchSettings },
    { kind: "tinker", what: "a server of Tinker's protocol", settings: tinkerSettings },
  ] as const;
  return Object.entries(choices).flatMap(([key, choice]) => {
    if (!choice) return [];
    const foreign = kinds.flatMap(({ kind, what, settings }) =>
      settings.flatMap((setting) =>
        choice.kind !== kind && given(`${key}.${setting}`)
          ? [
              problem(
                `${key}.${setting}`,
                `${key}.${setting} is a setting of ${what}, and ${key}.kind is ${choice.kind}; set ${key}.kind to ${kind} or remove it`,
              ),
            ]
          : [],
      ),
    );
    return [...foreign, ...checkTinker(key, choice, model)];
  });
}

/** Settings of passes on this machine have no effect if every model is on a server. */
function checkServerOnly({ engine, threads, recompute, sft, ppo }: Config): Problem[] {
  const { kind, reference, critic, reward } = engine;
  const here = [reference, critic, reward].some((one) => one !== undefined && one.kind !== "tinker");
  if (kind !== "tinker" || here) return [];
  // By their values: the configuration of a record has every key.
  const cut = (section: { readonly microBatch: number } | undefined) =>
    section !== undefined && section.microBatch !== 0;
  const own = { threads: threads !== 0, recompute, "sft.microBatch": cut(sft), "ppo.microBatch": cut(ppo) };
  const set = Object.entries(own).flatMap(([key, isSet]) => (isSet ? [key] : []));
  return set.map((key) =>
    problem(key, `${key} has no effect: engine.kind is tinker, and the server cuts and computes passes by itself`),
  );
}

/** What a server cannot do without, and what it takes from the run's model. */
function checkTinker(key: string, choice: NonNullable<Config["engine"]["critic"]>, model: ModelSection): Problem[] {
  if (choice.kind !== "tinker") return [];
  const missing = (["url", "model", "backend"] as const).filter((setting) => choice[setting] === undefined);
  const problems = missing.map((setting) =>
    problem(
      `${key}.${setting}`,
      `${key}.kind is tinker, and ${key}.${setting} is not given: ${key}: {kind: tinker, url: http://127.0.0.1:8000, model: Qwen/Qwen3-0.6B, backend: ${tinkerBackendNames.join(" or ")}}`,
    ),
  );
  if (model.path !== undefined) return problems;
  return [
    ...problems,
    problem(
      ["model.path", `${key}.kind`],
      `${key}.kind is tinker, and model.path is not given: the tokenizer and the sizes of the server's base model are read from a folder of it, or from hf://OWNER/NAME; its weights are not needed`,
    ),
  ];
}

function checkModel({ model }: Config, given: Given): Checked {
  const errors: Problem[] = [];
  const sizes = Object.keys(modelSchema.shape).filter(
    (key) => key !== "path" && key !== "family" && given(`model.${key}`),
  );
  if (model.path !== undefined && sizes.length > 0) {
    errors.push(
      problem(
        [`model.${sizes[0]}`, "model.path"],
        `model.${inList(sizes, "and")}: the model in ${model.path} brings its own sizes; remove ${sizes.length > 1 ? "them" : "it"}, or model.path to make a model from scratch`,
      ),
    );
  }
  // The vocabulary adds to this, and is not known yet.
  const block = scratchConfig({ ...model, vocabularySize: 1, layers: 1 });
  const large = whyTooLarge(parameterCount({ ...block, layers: model.layers }, ["lm"]));
  if (model.path === undefined) errors.push(...checkOptionalSizes(model, given));
  if (model.path === undefined && large !== null) {
    const { layers, width, context } = model;
    const message = `model.layers ${layers}, width ${width} and context ${context} are too large: ${large}`;
    errors.push(problem(["model.layers", "model.width", "model.context"], message));
  } else if (model.path === undefined && model.width % model.heads !== 0) {
    const divisors = [...Array(model.width + 1).keys()].filter((n) => n > 0 && model.width % n === 0);
    const heads = [divisors.findLast((n) => n < model.heads), divisors.find((n) => n > model.heads)];
    const near = heads.filter((n) => n !== undefined);
    errors.push(
      problem(
        ["model.width", "model.heads"],
        `model.width ${model.width} is not divisible by ${model.heads} heads; try ${inList(near, "or")} heads, or width ${inList(multiplesNear(model.width, model.heads), "or")}`,
      ),
    );
  }
  return { errors, warnings: [] };
}

/** An adapter stands on frozen weights, so each stage must start from a model that has learned something. */
export function checkLora({ lora, model, sft, reward, ppo }: Config): Problem[] {
  if (lora === undefined) return [];
  const starts = {
    sft: sft && model.path,
    reward: reward && (reward.from ?? (sft ? "" : model.path)),
    ppo: ppo && (ppo.policy ?? (sft ? "" : model.path)),
  };
  const random = Object.entries({ sft, reward, ppo }).flatMap(([stage, section]) =>
    section !== undefined && starts[stage as keyof typeof starts] === undefined ? [stage] : [],
  );
  if (random.length === 0) return [];
  return [
    problem(
      ["lora", "model"],
      `lora: an adapter stands on trained weights, and ${inList(random, "and")} would start from random ones; give model.path, or remove lora`,
    ),
  ];
}

function checkOptionalSizes(model: ModelSection, given: Given): Problem[] {
  const { takes = [] } = architectureOf(model);
  const { width, heads, kvHeads = heads, headDim = width / heads } = model;
  const errors = optionalSizes
    .filter((size) => given(`model.${size}`) && !takes.includes(size))
    .map((size) => {
      const others = familyNames.filter((name) => families[name].takes?.includes(size));
      return problem(
        [`model.${size}`, "model.family"],
        `model.${size}: the family ${model.family} has no such choice; remove it, or set model.family to ${inList(others, "or")}`,
      );
    });
  if (heads % kvHeads !== 0) {
    const shared = [...Array(heads + 1).keys()].filter((n) => n > 0 && heads % n === 0);
    errors.push(
      problem(
        ["model.kvHeads", "model.heads"],
        `model.heads ${heads} is not divisible by ${kvHeads} heads of keys and values; try ${inList(shared, "or")}`,
      ),
    );
  }
  if (takes.includes("headDim") && headDim % 2 === 1)
    errors.push(
      problem(
        ["model.headDim", "model.width", "model.heads"],
        `a head is ${headDim} wide, and rotary positions turn pairs of its entries; make model.headDim even`,
      ),
    );
  return errors;
}

/** The folder of the model that the first stage starts from; undefined if it starts from scratch. */
export function startFolder({
  model,
  sft,
  reward,
  ppo,
}: Pick<Config, "model"> & Partial<Pick<Config, "sft" | "reward" | "ppo">>): string | undefined {
  if (sft) return model.path;
  return reward?.from ?? ppo?.policy ?? model.path;
}

function checkTokenizer(config: Config, given: Given): Checked {
  const { tokenizer } = config;
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const folder = startFolder(config);
  const scratch = given("tokenizer.kind") && tokenizer.kind !== "file";
  if (scratch && folder !== undefined) {
    errors.push(
      problem(
        "tokenizer.kind",
        `tokenizer.kind ${tokenizer.kind}: the model in ${folder} was trained with its own tokenizer; remove the key`,
      ),
    );
  }
  const read = tokenizer.path ?? folder;
  if (!scratch && read !== undefined && schemeOf(read) !== null && !isHubReference(read)) {
    errors.push(
      problem(
        "tokenizer.path",
        `${read} is a URI, and a tokenizer is read from a folder: set tokenizer.kind to file and tokenizer.path to a folder with tokenizer.json`,
      ),
    );
  }
  if (tokenizer.kind === "file" && tokenizer.path === undefined && folder === undefined) {
    errors.push(
      problem(
        "tokenizer.kind",
        "tokenizer.kind file needs tokenizer.path, a folder with tokenizer.json, or model.path, whose own is then read",
      ),
    );
  }
  if (tokenizer.kind !== "file" && given("tokenizer.path")) {
    errors.push(
      problem(
        "tokenizer.path",
        `tokenizer.path is read with kind: file, not with ${tokenizer.kind}; set tokenizer.kind to file or remove the path`,
      ),
    );
  }
  if (tokenizer.kind !== "word" && tokenizer.kind !== "bpe" && given("tokenizer.vocabularySize")) {
    warnings.push(
      problem(
        "tokenizer.vocabularySize",
        `tokenizer.vocabularySize has no effect with kind ${tokenizer.kind}; only word and bpe have a largest vocabulary`,
      ),
    );
  }
  return { errors, warnings };
}

function checkRows(config: Config, given: Given): Checked {
  const { demo, sft, reward, ppo } = config;
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const needs = (section: string, key: string, rows: string) =>
    errors.push(
      problem(section, `${section} has no ${rows}: give ${section}.${key}.path, a file of rows, or a section demo`),
    );
  if (!demo && sft && !sft.data) needs("sft", "data", "demonstrations");
  if (!demo && reward && !reward.data) needs("reward", "data", "preference pairs");
  // A program that scores its responses brings the prompts too.
  const handed = ppo?.rewards.some(({ kind }) => kind === "caller") ?? false;
  if (!demo && ppo && !ppo.prompts && !handed) needs("ppo", "prompts", "prompts");
  for (const stage of ["sft", "reward"] as const) {
    if (config[stage]?.evaluation && given(`${stage}.evaluationShare`)) {
      warnings.push(
        problem(
          `${stage}.evaluationShare`,
          `${stage}.evaluationShare has no effect: ${stage}.evaluation gives the held-out rows`,
        ),
      );
    }
  }
  return { errors, warnings };
}
