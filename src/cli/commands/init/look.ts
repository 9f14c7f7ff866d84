/** What `ballast init` sees of a model's folder and of this machine. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parametersInWords } from "../../../control/doctor/index.ts";
import { isHubReference, onDisk } from "../../../hub/index.ts";
import { readBaseConfig } from "../../../models/adapter-folder.ts";
import { parameterCount } from "../../../models/model-size.ts";
import type { Tokenizer } from "../../../text/index.ts";
import { UsageError } from "../../../util/errors.ts";
import { machineMemory } from "../../../util/machine-memory.ts";
import { fromHome } from "../../../util/platform.ts";
import { defaultThreads } from "../../../util/threads.ts";
import { hasWeights, isAdapterFolder } from "../../../util/weight-files.ts";
import { loadModelTokenizer } from "../../model-tokenizer.ts";

export interface SeenModel {
  readonly folder: string;
  readonly family: string;
  readonly parameters: number;
  /** Longest sequence, in tokens. */
  readonly context: number;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: boolean;
}

/** Reads a folder's configuration and tokenizer, not its weights. Throws UsageError or CheckpointError for what is no model that trains here. */
export function lookAtModel(answer: string): SeenModel {
  const folder = isHubReference(answer) ? onDisk(answer) : fromHome(answer);
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(
      `there is no folder ${folder}`,
      "Give the folder of a Hugging Face model, hf://ORG/NAME, or scratch.",
    );
  if (!hasWeights(folder) && !isAdapterFolder(folder))
    throw new UsageError(
      `${folder} holds no weights`,
      "A model's folder has config.json, tokenizer.json and model.safetensors.",
    );
  const config = readBaseConfig(folder);
  const tokenizer = loadModelTokenizer(folder);
  const { family, context } = config;
  const chatTemplate = existsSync(join(folder, "chat_template.jinja")) || configured(folder);
  return { folder, family, parameters: parameterCount(config, ["lm"]), context, tokenizer, chatTemplate };
}

/** Whether the tokenizer's configuration has a chat template. */
function configured(folder: string): boolean {
  const file = join(folder, "tokenizer_config.json");
  return existsSync(file) && /"chat_template"\s*:/.test(readFileSync(file, "utf8"));
}

export function modelLine({ family, parameters, context, tokenizer, chatTemplate }: SeenModel): string {
  const size = `${parametersInWords(parameters)} parameters`;
  const template = chatTemplate ? "a chat template" : "no chat template: a prompt is read as it stands";
  return `  ${family}, ${size}, context ${context}, ${tokenizer.vocabularySize.toLocaleString("en-US")} tokens, ${template}`;
}

export interface Hardware {
  readonly says: string;
  /** Whether there is an NVIDIA GPU, which PyTorch computes on. */
  readonly torch: boolean;
}

export function hardware(): Hardware {
  const cores = `${defaultThreads()} cores, ${machineMemory() / 2 ** 30} GiB`;
  const { status, stdout } = spawnSync("nvidia-smi", ["--query-gpu=name,memory.total", "--format=csv,noheader"], {
    encoding: "utf8",
    timeout: 5000,
  });
  const [gpu] = status === 0 ? stdout.trim().split("\n") : [];
  return gpu ? { says: `${cores}, ${gpu}`, torch: true } : { says: `${cores}, no NVIDIA GPU`, torch: false };
}

/** The templates that fit a model's size, the likeliest first. `parameters` is null for a new small model. */
export function templatesFor({
  parameters,
  torch,
}: {
  readonly parameters: number | null;
  readonly torch: boolean;
}): string[] {
  if (parameters === null || parameters < 0.3e9) return ["laptop", "just", "staged"];
  if (parameters >= 5e9) return ["large", "just", "staged"];
  return torch ? ["gpu24", "small", "just", "staged"] : ["small", "just", "staged"];
}
