/** Pulling from a Hub on loopback: layout, needed files, cuts, hashes, refusals, and a cache that the official client shares both ways. */
import { execFile } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import {
  gitHash,
  goodToken,
  type HubFile,
  type HubRepository,
  type HubServer,
  sha256,
  startHub,
} from "../../test/support/hub-server.ts";
import { missingPython } from "../../test/support/python.ts";
import { cachedPath, hubReferenceOf } from "./hub-cache.ts";
import { parseHubReference } from "./hub-reference.ts";
import { type Pulled, type PullOptions, pull } from "./pull.ts";

const [first, second] = ["a".repeat(40), "b".repeat(40)];
const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
const file = (text: string): HubFile => ({ content: Buffer.from(text) });
const model = {
  "config.json": file(`{"model_type": "gpt2"}`),
  "tokenizer.json": file("{}"),
  "model.safetensors": { content: weights, large: true },
  "pytorch_model.bin": { content: Buffer.alloc(5000, 1), large: true },
  "README.md": file("A model"),
  "onnx/model.json": file("{}"),
};
const repositories: HubRepository[] = [
  {
    type: "model",
    id: "org/tiny",
    branches: { main: first, "refs/pr/1": second },
    commits: { [first]: model, [second]: { ...model, "config.json": file(`{"model_type": "llama"}`) } },
  },
  {
    type: "dataset",
    id: "org/twins",
    branches: { main: first },
    commits: { [first]: Object.fromEntries(["a", "b", "c"].map((name) => [`${name}.jsonl`, file(`{"text": "a"}\n`)])) },
  },
  { type: "model", id: "org/gated", branches: { main: first }, commits: { [first]: model }, gated: true },
  { type: "model", id: "org/private", branches: { main: first }, commits: { [first]: model }, private: true },
  {
    type: "model",
    id: "org/old",
    branches: { main: first },
    commits: { [first]: { "config.json": file("{}"), "pytorch_model.bin": file("x") } },
  },
  {
    type: "dataset",
    id: "org/rows",
    branches: { main: first },
    commits: {
      [first]: {
        "data/train-0.jsonl": file(`{"prompt": "a", "completion": "b"}\n`),
        "data/train-1.jsonl": file(`{"prompt": "c", "completion": "d"}\n`),
        "data/test-0.jsonl": file(`{"prompt": "e", "completion": "f"}\n`),
        "README.md": file("Rows"),
        "dataset_infos.json": file("{}"),
      },
    },
  },
];

let hub: HubServer;
const folders: string[] = [];
beforeAll(async () => {
  hub = await startHub(repositories);
});
afterEach(() => {
  for (const key of Object.keys(hub.trouble)) delete hub.trouble[key as keyof typeof hub.trouble];
  hub.asked.length = 0;
});
afterAll(async () => {
  await hub.close();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function home(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv & { HF_HOME: string } {
  const folder = mkdtempSync(join(tmpdir(), "ballast-hub-"));
  folders.push(folder);
  return { PATH: process.env.PATH, HF_HOME: folder, HF_ENDPOINT: hub.endpoint, ...more };
}

function get(name: string, env: NodeJS.ProcessEnv, options: Partial<PullOptions> = {}): Promise<Pulled> {
  return pull({ reference: parseHubReference(name), env, pause: async () => {}, ...options });
}

const files = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => !lstatSync(join(folder, name)).isDirectory(),
  );
const largeAsked = () => hub.asked.filter(({ host }) => host === "cdn");

it("gets what a model needs, into the Hub's own layout; the token is not shown to the second address", async () => {
  const env = home({ HF_TOKEN: ` ${goodToken}\n` });
  const seen: number[] = [];
  const pulled = await get("org/tiny", env, { onProgress: ({ done }) => seen.push(done) });
  expect(pulled.reference.revision).toBe(first);
  expect(files(pulled.path).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  const folder = join(env.HF_HOME, "hub", "models--org--tiny");
  expect(pulled.path).toBe(join(folder, "snapshots", first));
  expect(readFileSync(join(folder, "refs", "main"), "utf8")).toBe(first);
  expect(readlinkSync(join(pulled.path, "model.safetensors"))).toBe(`../../blobs/${sha256(weights)}`);
  expect(readlinkSync(join(pulled.path, "config.json"))).toBe(`../../blobs/${gitHash(model["config.json"].content)}`);
  expect(readFileSync(join(pulled.path, "model.safetensors")).equals(weights)).toBe(true);
  expect(seen.at(-1)).toBe(pulled.bytes);
  expect(hub.asked.filter(({ host }) => host === "hub").map(({ authorization }) => authorization)).toEqual(
    expect.arrayContaining([`Bearer ${goodToken}`]),
  );
  expect(largeAsked()).toMatchObject([{ authorization: undefined }]);

  hub.asked.length = 0;
  const again = await get("org/tiny", env);
  expect(again.cached).toBe(again.bytes);
  expect(hub.asked.map(({ path }) => path)).toEqual(["/api/models/org/tiny/revision/main"]);
  // A commit never changes: nothing is asked at all.
  hub.asked.length = 0;
  await get(`org/tiny@${first}`, env);
  expect(hub.asked).toEqual([]);
});

it("gets files with the same bytes once", async () => {
  const pulled = await get("datasets/org/twins", home());
  expect(pulled.files).toHaveLength(3);
  for (const name of pulled.files) expect(readFileSync(join(pulled.path, name), "utf8")).toContain("a");
  expect(hub.asked.filter(({ path }) => path.includes("/resolve/"))).toHaveLength(1);
});

it("gets a branch with a slash, files by pattern, and a data set's rows", async () => {
  const env = home();
  const other = await get("org/tiny@refs/pr/1", env);
  expect(other.reference.revision).toBe(second);
  expect(readFileSync(join(other.path, "config.json"), "utf8")).toContain("llama");
  await expect(get("org/tiny", env, { include: ["[z-a]"] })).rejects.toThrow('the pattern "[z-a]" cannot be read');
  const some = await get("org/tiny", env, { include: ["*.md", "onnx/"], exclude: ["README*"] });
  expect(some.files).toEqual(["onnx/model.json"]);
  expect((await get("datasets/org/rows", env)).files).toEqual([
    "data/train-0.jsonl",
    "data/train-1.jsonl",
    "data/test-0.jsonl",
  ]);
  const pattern = await get("hf://datasets/org/rows/data/train-*.jsonl", home());
  expect(pattern.files).toEqual(["data/train-0.jsonl", "data/train-1.jsonl"]);
  expect(pattern.path).toMatch(/snapshots.*data.train-\*\.jsonl$/);
});

it("goes on with a range after a cut, in the same pull and in a later one, and keeps what came when it is stopped", async () => {
  const env = home();
  hub.trouble.cutAfter = 70_000;
  const pulled = await get("org/tiny", env);
  expect(readFileSync(join(pulled.path, "model.safetensors")).equals(weights)).toBe(true);
  expect(largeAsked().length).toBeGreaterThan(3);
  expect(largeAsked()[1]!.range).toMatch(/^bytes=[1-9]\d*-$/);

  const stopped = home();
  const stop = new AbortController();
  const options = {
    signal: stop.signal,
    onProgress: ({ done }: { done: number }) => void (done > 60_000 && stop.abort(new Error("stopped"))),
  };
  await expect(get("org/tiny", stopped, options)).rejects.toThrow("stopped");
  const blobs = join(stopped.HF_HOME, "hub", "models--org--tiny", "blobs");
  const part = readFileSync(join(blobs, `${sha256(weights)}.incomplete`));
  expect(part.length).toBeGreaterThan(0);
  expect(part.equals(weights.subarray(0, part.length))).toBe(true);
  expect(cachedPath(parseHubReference("org/tiny"), stopped)).toBeNull();
  Object.assign(hub.trouble, { cutAfter: undefined });
  hub.asked.length = 0;
  await get("org/tiny", stopped);
  expect(largeAsked()).toMatchObject([{ range: `bytes=${part.length}-` }]);
  expect(existsSync(join(blobs, `${sha256(weights)}.incomplete`))).toBe(false);
});

it("starts again if a part is not the file's beginning or the server knows no ranges, and takes a silent connection for a cut one", async () => {
  for (const part of [Buffer.alloc(1000, 7), Buffer.alloc(400_000, 7)])
    for (const noRanges of [false, true]) {
      const env = home();
      const blob = join(env.HF_HOME, "hub", "models--org--tiny", "blobs", sha256(weights));
      await get("org/tiny", env, { include: ["config.json"] });
      writeFileSync(`${blob}.incomplete`, part);
      hub.trouble.noRanges = noRanges;
      await get("org/tiny", env);
      expect(readFileSync(blob).equals(weights)).toBe(true);
    }
  Object.assign(hub.trouble, { noRanges: false, stallAfter: 200_000 });
  const { path } = await get("org/tiny", home(), { stallLimit: 100 });
  expect(readFileSync(join(path, "model.safetensors")).equals(weights)).toBe(true);
});

it("keeps nothing with a wrong hash", async () => {
  const env = home();
  hub.trouble.wrongBytes = true;
  await expect(get("org/tiny", env)).rejects.toThrow(/came with other bytes than the Hub's own hash says/);
  // Another file's download may have been broken off, whose part is looked at again when it goes on.
  const blobs = files(join(env.HF_HOME, "hub", "models--org--tiny", "blobs"));
  expect(blobs.filter((name) => !name.endsWith(".incomplete"))).toEqual([]);
  expect(cachedPath(parseHubReference("org/tiny"), env)).toBeNull();
});

it("compares what the cache has when asked to, and fetches again what differs", async () => {
  const env = home();
  const { path } = await get("org/tiny", env);
  const blob = join(path, readlinkSync(join(path, "model.safetensors")));
  writeFileSync(blob, Buffer.alloc(weights.length));
  await get("org/tiny", env);
  expect(readFileSync(blob).equals(weights)).toBe(false);
  const notes: string[] = [];
  await get("org/tiny", env, { verify: true, onNote: (text) => notes.push(text) });
  expect(readFileSync(blob).equals(weights)).toBe(true);
  expect(notes).toEqual(["model.safetensors in the cache is not what the Hub has; it is downloaded again"]);
});

it.each([
  ["org/none", {}, "there is no model org/none, or it is private", "HF_TOKEN"],
  ["org/private", {}, "there is no model org/private, or it is private", "HF_TOKEN"],
  ["org/private", { HF_TOKEN: "hf_bad" }, "does not know the token in HF_TOKEN", "settings/tokens"],
  ["org/gated", {}, "the model org/gated is gated", "/org/gated"],
  ["org/tiny@v9", {}, "the model org/tiny has no revision v9", "/org/tiny/commits"],
  ["hf://org/tiny/absent.json", {}, "org/tiny has no absent.json; it holds config.json", ""],
  ["org/old", {}, "holds its weights as pytorch_model.bin", "safetensors"],
  ["datasets/org/tiny", {}, "there is no data set org/tiny", ""],
])("says why %s cannot be had (%o)", async (name, more, message, hint) => {
  const error = await get(name, home(more)).catch((error: unknown) => error);
  expect(error).toMatchObject({ name: "HubError", message: expect.stringContaining(message) });
  expect((error as { hint?: string }).hint ?? "").toContain(hint);
});

it("gets a private and a gated model with the token, also with one that a login has saved", async () => {
  const env = home();
  writeFileSync(join(env.HF_HOME, "token"), `${goodToken}\n`);
  expect((await get("org/private", env)).files).toHaveLength(3);
  expect((await get("org/gated", env)).files).toHaveLength(3);
});

it("says so when the Hub has trouble, and when the disk has no room; both before anything is lost", async () => {
  hub.trouble.status = 503;
  await expect(get("org/tiny", home())).rejects.toThrow("the Hub answered 503");
  hub.trouble.status = 429;
  await expect(get("org/tiny", home())).rejects.toThrow("too many requests");
  delete hub.trouble.status;
  await expect(get("org/tiny", home(), { freeBytes: () => 1000 })).rejects.toThrow(
    /300 kB are to come, and the disk of .* has 1 kB left/,
  );
});

it("uses the cache with no network: by HF_HUB_OFFLINE, or if nobody answers", async () => {
  const env = home();
  await get("org/tiny", env);
  hub.asked.length = 0;
  const notes: string[] = [];
  const onNote = (text: string) => void notes.push(text);
  const offline = await get("org/tiny", { ...env, HF_HUB_OFFLINE: "1" }, { onNote });
  expect(hub.asked).toEqual([]);
  expect(offline.reference.revision).toBe(first);
  const nobody = { ...env, HF_ENDPOINT: "http://127.0.0.1:9" };
  expect((await get("org/tiny", nobody, { onNote })).path).toBe(offline.path);
  expect(notes.join("\n")).toMatch(
    /HF_HUB_OFFLINE is set: hf:\/\/org\/tiny is as the cache has it[\s\S]*127.0.0.1:9 cannot be reached/,
  );
  hub.trouble.status = 503;
  expect((await get("org/tiny", env, { onNote })).path).toBe(offline.path);
  delete hub.trouble.status;
  await expect(get("org/tiny", { ...home(), HF_HUB_OFFLINE: "1" })).rejects.toThrow("is not in the cache");
  await expect(get("org/gated", nobody)).rejects.toThrow("127.0.0.1:9 cannot be reached");
  rmSync(join(offline.path, "config.json"));
  await expect(get("org/tiny", { ...env, HF_HUB_OFFLINE: "1" })).rejects.toThrow("lacks 1 of the 3 files");
});

it("names a path in the cache as the Hub does, and no other path", () => {
  const env = home();
  const path = join(env.HF_HOME, "hub", "datasets--org--rows", "snapshots", first, "data", "x.jsonl");
  expect(hubReferenceOf(path, env)).toEqual({ type: "dataset", id: "org/rows", revision: first, file: "data/x.jsonl" });
  expect(hubReferenceOf(join(env.HF_HOME, "hub", "datasets--org--rows", "refs", "main"), env)).toBeNull();
  expect(hubReferenceOf(join(env.HF_HOME, "x"), env)).toBeNull();
});

it("refuses names that would lead out of the cache", async () => {
  for (const name of [
    "org/../x",
    "org/x@../../y",
    "hf://org/x/../../y",
    "a--b/c",
    "org/x@-y",
    "/etc/passwd",
    "spaces/org/x",
  ])
    expect(() => parseHubReference(name)).toThrow(/names nothing on the Hub/);
  const outside = await startHub([
    {
      type: "model",
      id: "org/evil",
      branches: { main: first },
      commits: { [first]: { "../../../x.json": file("x") } },
    },
  ]);
  const env = { ...home(), HF_ENDPOINT: outside.endpoint };
  await expect(get("org/evil", env)).rejects.toThrow("has no usable name or hash");
  await outside.close();
});

const noClient = missingPython(["huggingface_hub"]);
it.skipIf(noClient)(`shares the cache with Python both ways${noClient}`, async () => {
  const python = async (script: string, env: NodeJS.ProcessEnv) => {
    const run = promisify(execFile);
    const whole = `from huggingface_hub import snapshot_download as get; ${script}`;
    const { stdout } = await run(process.env.BALLAST_TEST_PYTHON ?? "python3", ["-c", whole], {
      env: { ...env, HF_HUB_DISABLE_TELEMETRY: "1", HF_HUB_DISABLE_PROGRESS_BARS: "1" },
    });
    return stdout.trim();
  };
  const ours = home();
  const { path } = await get("org/tiny", ours);
  hub.asked.length = 0;
  const needed = "allow_patterns=['config.json', 'tokenizer.json', 'model.safetensors']";
  expect(await python(`print(get('org/tiny', ${needed}))`, { ...ours, HF_HUB_OFFLINE: "1" })).toBe(path);
  expect(hub.asked).toEqual([]);

  // The official client finds the server as ours does, and what it downloads is whole for us.
  const theirs = home();
  const found = await python(`print(get('org/tiny', token='${goodToken}'))`, theirs);
  expect(largeAsked().map(({ authorization }) => authorization)).not.toContain(`Bearer ${goodToken}`);
  hub.asked.length = 0;
  expect(cachedPath(parseHubReference("org/tiny"), theirs)).toBe(found);
  const again = await get("org/tiny", { ...theirs, HF_HUB_OFFLINE: "1" });
  expect(again.path).toBe(found);
  expect(files(found)).toContain("pytorch_model.bin");
  expect(hub.asked).toEqual([]);
});
