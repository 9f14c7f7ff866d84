/** SkyRL's Tinker server (JAX, on a CPU) in tests: on the Python that BALLAST_TEST_SKYRL names, which examples/tinker/server/install.sh made. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const startTimeout = 300_000;

export interface SkyrlServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** What the server calls its base model: the Hugging Face folder of 90,752 random parameters and 260 tokens that it was made from. */
  readonly baseModel: string;
  /** What server and engine have written. */
  log(): string;
  /** Ends server and engine; at once by SIGKILL. Its folder stays. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

const scripts = fileURLToPath(new URL("../../examples/tinker/server/", import.meta.url));
const python = process.env.BALLAST_TEST_SKYRL;

/** What keeps the tests from running, as a suffix of their name; empty if nothing does. */
export function missingSkyrl(): string {
  if (python === undefined)
    return ", skipped: BALLAST_TEST_SKYRL names no Python with SkyRL (examples/tinker/README.md)";
  const { status } = spawnSync(python, ["-c", "import importlib.metadata as m; m.version('skyrl')"]);
  return status === 0 ? "" : `, skipped: ${python} has no SkyRL`;
}

/** Where compiled shapes and the base model are kept between servers. */
const kept = join(tmpdir(), "ballast-test-skyrl");

/** The base model's folder, made on first use. Its weights are the same each time. */
export function skyrlModel(): string {
  const folder = join(kept, "model");
  if (existsSync(join(folder, "model.safetensors"))) return folder;
  mkdirSync(kept, { recursive: true });
  const { status, stderr } = spawnSync(python!, [join(scripts, "make_model.py"), folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(`make_model.py failed:\n${stderr}`);
  return folder;
}

/**
 * Starts a server with its records and checkpoints in `data`, and waits until its engine takes work: 20 s, two minutes on a busy machine. A second start
 * on the same folder finds the checkpoints of the first.
 */
export async function startSkyrl({
  data,
  port,
  flags = [],
}: {
  readonly data: string;
  readonly port?: number;
  readonly flags?: readonly string[];
}): Promise<SkyrlServer> {
  const baseModel = skyrlModel();
  const at = port ?? (await freePort());
  mkdirSync(data, { recursive: true });
  const logFile = join(data, "log");
  const out = openSync(logFile, "a");
  const environment = dirname(dirname(python!));
  const child = spawn(join(scripts, "start.sh"), [environment, baseModel, data, String(at), ...flags], {
    detached: true,
    stdio: ["ignore", out, out],
    env: { ...process.env, JAX_COMPILATION_CACHE_DIR: join(kept, "compiled") },
  });
  closeSync(out);
  const url = `http://127.0.0.1:${at}`;
  const log = () => readFileSync(logFile, "utf8");
  const from = log().length;
  const stop = (signal: "SIGTERM" | "SIGKILL" = "SIGTERM") => end(child, signal);
  for (const deadline = Date.now() + startTimeout; ; await sleep(200)) {
    if (child.exitCode !== null) throw new Error(`SkyRL's server ended with ${child.exitCode}:\n${log().slice(-3000)}`);
    // The server answers before its engine has loaded the model.
    if (log().slice(from).includes("Starting background engine")) return { url, baseModel, log, stop };
    if (Date.now() > deadline) {
      await stop("SIGKILL");
      throw new Error(`SkyRL's server was not ready in ${startTimeout / 1000} s:\n${log().slice(-3000)}`);
    }
  }
}

/** Server and engine are one process group. SIGTERM goes to the server, which ends its engine. */
async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  if (signal === "SIGTERM") child.kill(signal);
  const late = sleep(15_000, "late", { ref: false });
  if (signal === "SIGKILL" || (await Promise.race([ended, late])) === "late") process.kill(-child.pid!, "SIGKILL");
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
