/**
 * `npm run bench:peers -- [SHAPE ...] [--pairs 5] [--threads N]`: one PPO iteration of Ballast and of TRL's last PPO trainer in the shapes of
 * `shapes.ts`, in alternating processes on as many threads, with ratios of medians and the range of the pairs' ratios. On a busy machine compare the
 * CPU seconds of one thread: with several, threads that wait for each other spin.
 *
 * It needs a Python with torch, transformers and datasets, named by BALLAST_PEERS_PYTHON (else `python3`), and a checkout of TRL,
 * named by BALLAST_PEERS_TRL:
 *
 *     git clone https://github.com/huggingface/trl && git -C trl checkout f2cd57710ae345ea6428ae95363267fcf38a3dc8
 */
import { execFileSync } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { defaultThreads } from "../src/util/threads.ts";
import type { IterationResult } from "./iteration.ts";
import { median } from "./measure.ts";
import { here } from "./revision.ts";
import { type ShapeName, shapes } from "./shapes.ts";

/** A commit of TRL that still has its PPO trainer. */
const trlCommit = "f2cd57710ae345ea6428ae95363267fcf38a3dc8";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    pairs: { type: "string", default: "5" },
    threads: { type: "string" },
  },
});
const names = (positionals.length > 0 ? positionals : Object.keys(shapes)) as ShapeName[];
for (const name of names)
  if (!Object.hasOwn(shapes, name))
    throw new Error(`there is no shape named ${name}; there are ${Object.keys(shapes).join(", ")}`);
const pairs = Number(options.pairs);
if (!(Number.isInteger(pairs) && pairs >= 1)) throw new Error(`--pairs is ${options.pairs}; it must be 1 or more`);
const threads = Number(options.threads ?? defaultThreads());
const say = (text: string) => (options.json ? process.stderr : process.stdout).write(`${text}\n`);

const keys = ["total", "rollout", "cpuSeconds", "peakMb"] as const;
type Figures = Pick<IterationResult, (typeof keys)[number]>;

function ballast(shape: ShapeName): Figures {
  const program = `
    import { startEngine } from "./bench/engine.ts";
    import { benchIteration } from "./bench/iteration.ts";
    import { shapes } from "./bench/shapes.ts";
    const engine = await startEngine(${threads});
    const result = await benchIteration(engine, shapes.${shape});
    await engine.close();
    console.log(JSON.stringify(result));
  `;
  const args = ["--import", "tsx", "--input-type=module", "--eval", program];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: here, encoding: "utf8" })) as Figures;
}

const python = process.env.BALLAST_PEERS_PYTHON ?? "python3";
const paths = [process.env.BALLAST_PEERS_TRL, process.env.PYTHONPATH].filter((path) => path !== undefined);
const env = { ...process.env, PYTHONPATH: paths.join(delimiter) };

function trl(shape: ShapeName): Figures {
  const script = fileURLToPath(new URL("./peers/trl_ppo.py", import.meta.url));
  const settings = Object.entries({ ...shapes[shape], threads }).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const output = execFileSync(python, [script, ...settings], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output.trim().split("\n").at(-1) as string) as Figures;
}

/** What is missing for the peer, or null. */
function missing(): string | null {
  const check = "import torch, transformers, datasets, trl.experimental.ppo";
  try {
    execFileSync(python, ["-c", check], { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return null;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return stderr?.trim().split("\n").at(-1) || message;
  }
}

const lacking = missing();
if (lacking !== null) {
  say(`TRL is not measured: ${python} says "${lacking}".`);
  say(
    "Name a Python with torch, transformers and datasets by BALLAST_PEERS_PYTHON, and a checkout of TRL by BALLAST_PEERS_TRL:",
  );
  say(`  git clone https://github.com/huggingface/trl && git -C trl checkout ${trlCommit}`);
}
const results: Record<string, { ballast: Figures[]; trl: Figures[] }> = {};
for (const name of names) {
  const measured: { ballast: Figures[]; trl: Figures[] } = { ballast: [], trl: [] };
  results[name] = measured;
  for (let pair = 0; pair < (lacking === null ? pairs : 1); pair++) {
    measured.ballast.push(ballast(name));
    if (lacking === null) measured.trl.push(trl(name));
  }
  say(
    `\n${name.padEnd(12)}${"Ballast".padStart(10)}${lacking === null ? `${"TRL".padStart(10)}${"ratio".padStart(9)}   of each pair` : ""}`,
  );
  for (const key of keys) {
    const digits = key === "peakMb" ? 0 : 3;
    const of = (figures: readonly Figures[]) => median(figures.map((figure) => figure[key]));
    let row = `${key.padEnd(12)}${of(measured.ballast).toFixed(digits).padStart(10)}`;
    if (lacking === null) {
      const ratios = measured.ballast.map((figure, pair) => figure[key] / (measured.trl[pair] as Figures)[key]);
      row += `${of(measured.trl).toFixed(digits).padStart(10)}${(of(measured.ballast) / of(measured.trl)).toFixed(3).padStart(9)}`;
      row += `   ${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
    }
    say(row);
  }
}
if (options.json) process.stdout.write(`${JSON.stringify({ threads, pairs, results })}\n`);
