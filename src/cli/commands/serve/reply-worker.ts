/** The thread that talks with models for the page: one engine, and the two models used last. */
import { existsSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { Engine } from "../../../engine/engine.ts";
import { openEngine } from "../../../engine/open-engine.ts";
import { readBaseConfig } from "../../../models/adapter-folder.ts";
import { parameterSpecs } from "../../../models/family.ts";
import { type Conversant, openConversant } from "../../../trainer/conversant.ts";
import { stateOf } from "../../../trainer/model-folder.ts";
import type { ReplyLine, ReplyRequest } from "../../../types/playground-page.ts";
import { BallastError, messageOf, UsageError } from "../../../util/errors.ts";
import { machineMemory } from "../../../util/machine-memory.ts";
import { answeringEngine } from "../../answering-engine.ts";
import { findModel } from "../../find-model.ts";
import { loadModelTokenizer } from "../../model-tokenizer.ts";

const { workspace, threads } = workerData as { readonly workspace: string; readonly threads: number };

/** Models held at once: two side by side. */
const held = 2;
/** The share of the machine's memory that one model may take, in 32-bit weights. */
const largestShare = 0.4;

export type ToReplyWorker =
  | { readonly kind: "reply"; readonly id: number; readonly request: ReplyRequest }
  | { readonly kind: "stop"; readonly id: number }
  /** Frees what servers hold for this thread, and ends it. */
  | { readonly kind: "end" };

export interface FromReplyWorker {
  readonly id: number;
  readonly line: ReplyLine;
  readonly loaded: readonly string[];
}

const engine = await openEngine({ threads });
/** By path, the one used last at the end. */
const models = new Map<string, Promise<Conversant>>();
const stopped = new Set<number>();
/** Engines on servers. */
const remotes = new Set<Engine>();
/** The models of the answers in progress, one entry for each answer. */
const answering: string[] = [];

parentPort!.on("message", (message: ToReplyWorker) => {
  if (message.kind === "stop") stopped.add(message.id);
  else if (message.kind === "end") void end();
  else void answer(message.id, message.request);
});

/** The engine of this machine ends with the thread. */
async function end(): Promise<never> {
  await Promise.allSettled([...remotes].map((remote) => remote.close()));
  process.exit();
}

async function answer(id: number, request: ReplyRequest): Promise<void> {
  const tell = (line: ReplyLine) =>
    parentPort!.postMessage({ id, line, loaded: [...models.keys()] } satisfies FromReplyWorker);
  const { model, messages, temperature, maxTokens, seed } = request;
  answering.push(model);
  try {
    if (!models.has(model)) tell({ kind: "note", says: "loading the model" });
    const conversant = await modelOf(model);
    const began = performance.now();
    const reply = await conversant.reply({
      ...{ messages, temperature, maxNewTokens: maxTokens, seed },
      onText: (text) => tell({ kind: "text", text }),
      stopped: () => stopped.has(id),
    });
    tell({ kind: "done", ...reply, seconds: (performance.now() - began) / 1000 });
  } catch (error) {
    const hint = error instanceof BallastError ? error.hint : undefined;
    tell({ kind: "problem", error: messageOf(error), ...(hint !== undefined && { hint }) });
  } finally {
    stopped.delete(id);
    answering.splice(answering.indexOf(model), 1);
  }
}

/** The model, loaded unless it is held; of more than two the one unused for longest is freed. Throws a UsageError if two others are answering. */
async function modelOf(path: string): Promise<Conversant> {
  const known = models.get(path);
  if (known !== undefined) {
    models.delete(path);
    models.set(path, known);
    return known;
  }
  const free = [...models].filter(([name]) => !answering.includes(name));
  const left = free.slice(0, Math.max(0, models.size - held + 1));
  if (models.size - left.length >= held)
    throw new UsageError(
      `${held} other models are answering, and the page holds ${held} at once`,
      "Ask again when one is done, or stop one.",
    );
  for (const [name] of left) models.delete(name);
  // In the list before anything is awaited: a second request for it waits for the same model.
  const opened = closed(left.map(([, old]) => old)).then(() => open(path));
  models.set(path, opened);
  opened.catch(() => models.delete(path));
  return opened;
}

async function closed(left: readonly Promise<Conversant>[]): Promise<void> {
  for (const old of left) await old.then((model) => model.close()).catch(() => {});
}

async function open(path: string): Promise<Conversant> {
  if (!existsSync(path))
    throw new UsageError(
      `there is no model in ${path} any longer`,
      "A run keeps only its newest checkpoints: choose one that is in the list now.",
    );
  const folder = await findModel(path, workspace);
  if (stateOf(folder) !== folder) return openElsewhere(folder);
  checkSize(folder);
  return openConversant(engine, folder, loadModelTokenizer(folder));
}

/** A model that a server keeps answers there, on an engine of its own. */
async function openElsewhere(folder: string): Promise<Conversant> {
  const remote = await openEngine(answeringEngine({ target: folder, workspace, folders: [folder] }));
  remotes.add(remote);
  const close = async () => {
    await remote.close();
    remotes.delete(remote);
  };
  try {
    return { ...(await openConversant(remote, folder, loadModelTokenizer(folder))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function checkSize(folder: string): void {
  const config = readBaseConfig(folder);
  const parameters = parameterSpecs(config, ["lm"]).reduce(
    (total, { shape }) => total + shape.reduce((product, size) => product * size, 1),
    0,
  );
  const bytes = 4 * parameters;
  const most = largestShare * machineMemory();
  if (bytes > most)
    throw new UsageError(
      `the model is too large for the page: its ${(parameters / 1e9).toFixed(2)} billion parameters take ${gib(bytes)} of this machine's ${gib(machineMemory())}`,
      `The page holds two models of at most ${gib(most)} each. In a terminal: ballast generate ${folder}`,
    );
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
