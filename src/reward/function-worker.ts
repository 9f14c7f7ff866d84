/** The thread that runs a user's reward function: loads its file, TypeScript or JavaScript, and answers calls. */
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { tsImport } from "tsx/esm/api";
import type { FunctionCall, FunctionInput, FunctionReply, FunctionScore } from "./function-protocol.ts";

const { path } = workerData as { path: string };
const port = parentPort!;
const reply = (message: FunctionReply) => port.postMessage(message);

// Output of the user's code is for the user, while standard output is for results. It travels with the replies: a thread's own standard error arrives
// later, and is lost if the process ends first.
const decoder = new TextDecoder();
process.stdout.write = process.stderr.write = (chunk: Uint8Array | string, ...rest: unknown[]) => {
  reply({ kind: "printed", text: typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }) });
  const written = rest.at(-1);
  if (typeof written === "function") queueMicrotask(() => written());
  return true;
};

/** A function that returns one value per input. */
type Answer = (inputs: readonly FunctionInput[]) => unknown;

const loaded = await load();
if (loaded) {
  port.on("message", async ({ id, inputs }: FunctionCall) => {
    reply({ kind: "started", id });
    // The user's code may change the list that it is given.
    const size = inputs.length;
    try {
      reply(replyTo({ id, size }, await loaded.answer(inputs)));
    } catch (error) {
      reply({ kind: "threw", id, reason: reasonOf(error) });
    }
  });
  reply({ kind: "ready", batch: loaded.batch });
}

async function load(): Promise<{ answer: Answer; batch: boolean } | null> {
  try {
    const module = await tsImport(pathToFileURL(path).href, import.meta.url);
    // A TypeScript file in a folder whose package.json does not say `type: module` has its exports one level down.
    const exports = typeof module.default === "function" ? module : (module.default ?? {});
    const score = exports.default;
    const batch = exports.batch ?? score?.batch ?? false;
    if (typeof score !== "function") reply({ kind: "unusable", reason: "its default export is not a function" });
    else if (typeof batch !== "boolean")
      reply({ kind: "unusable", reason: `its export batch is ${inWords(batch)}, not true or false` });
    else return { batch, answer: batch ? score : async ([input]) => [await score(input)] };
  } catch (error) {
    reply({ kind: "unusable", reason: reasonOf(error) });
  }
  return null;
}

function replyTo({ id, size }: { id: number; size: number }, returned: unknown): FunctionReply {
  const values =
    ArrayBuffer.isView(returned) && !(returned instanceof DataView) ? [...(returned as Float64Array)] : returned;
  if (!Array.isArray(values)) return { kind: "other", id, index: null, what: inWords(values) };
  if (values.length !== size) return { kind: "other", id, index: null, what: `a list of ${values.length}` };
  const index = values.findIndex((value) => typeof value !== "number" && !hasSteps(value));
  return index < 0
    ? { kind: "scores", id, values: values.map(plain) }
    : { kind: "other", id, index, what: wrongStep(values[index]) ?? inWords(values[index]) };
}

/** What is wrong with the first step that is none; null if there are no steps. */
function wrongStep(value: unknown): string | null {
  const steps = stepsOf(value);
  if (steps === null) return null;
  const i = steps.findIndex((step) => !isStep(step));
  const { end, reward } = steps[i] ?? {};
  return `steps of which number ${i + 1} has end ${inWords(end)} and reward ${inWords(reward)}`;
}

/** What may be a step: the user's code returned it. */
type MaybeStep = { readonly end?: unknown; readonly reward?: unknown } | null | undefined;

function stepsOf(value: unknown): readonly MaybeStep[] | null {
  const { steps } = (value ?? {}) as { steps?: unknown };
  return Array.isArray(steps) ? steps : null;
}

const hasSteps = (value: unknown): value is Exclude<FunctionScore, number> => stepsOf(value)?.every(isStep) === true;

const isStep = (step: MaybeStep): boolean =>
  Number.isInteger(step?.end) && (step!.end as number) >= 0 && typeof step!.reward === "number";

/** Without what else the user's objects have, which may not travel between threads. */
function plain(value: FunctionScore): FunctionScore {
  return typeof value === "number" ? value : { steps: value.steps.map(({ end, reward }) => ({ end, reward })) };
}

/** The error, and where in the user's file it was thrown. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${inWords(error)}`;
  const file = basename(path);
  const frame = (error.stack ?? "").split("\n").find((line) => line.includes(`/${file}`));
  const place = /(:\d+:\d+)\)?$/.exec(frame ?? "");
  return `${error.name}: ${error.message}${place ? ` (at ${file}${place[1]})` : ""}`;
}

function inWords(value: unknown): string {
  if (typeof value === "string") return `the text ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === "bigint") return `the BigInt ${String(value).slice(0, 40)}n`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}
