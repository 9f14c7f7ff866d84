/**
 * A PPO iteration of the embedded engine, of the PyTorch engine and of TRL's last PPO trainer, each in a process of its own. The PyTorch engine and TRL need a
 * Python, named by BALLAST_PEERS_PYTHON (else `python3`): with torch and transformers, for TRL also datasets and a checkout, named by BALLAST_PEERS_TRL.
 */
import { execFileSync } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import type { IterationResult } from "./iteration.ts";
import { here } from "./revision.ts";
import type { BenchShape } from "./shapes.ts";

/** A commit of TRL that still has its PPO trainer. */
const trlCommit = "f2cd57710ae345ea6428ae95363267fcf38a3dc8";

export const contenders = ["embedded", "torch fp32", "torch bf16", "torch fp32 x 2", "torch bf16 x 2", "TRL"] as const;
export type Contender = (typeof contenders)[number];

/** Seconds, CPU seconds and MB of an iteration, all processes together. TRL's has no part by part account. */
export type Figures = Pick<IterationResult, "total" | "rollout" | "cpuSeconds" | "peakMb"> &
  Partial<Pick<IterationResult, "score" | "passes" | "update" | "outsideEngineShare">>;

const python = process.env.BALLAST_PEERS_PYTHON ?? "python3";
const paths = [process.env.BALLAST_PEERS_TRL, process.env.PYTHONPATH].filter((path) => path !== undefined);
const env = { ...process.env, PYTHONPATH: paths.join(delimiter) };

/** Of `x 2` each of the two processes has `threads`. `device`: PyTorch's name of it, for those that `missing` has not refused there. */
export function measure(contender: Contender, shape: BenchShape, threads: number, device = "cpu"): Figures {
  return contender === "TRL" ? trl(shape, threads) : ballast(contender, shape, { threads, device });
}

function ballast(
  contender: Exclude<Contender, "TRL">,
  shape: BenchShape,
  { threads, device }: { readonly threads: number; readonly device: string },
): Figures {
  const [, dtype = "", two] = /^torch (\w+)( x 2)?$/.exec(contender) ?? [];
  const processes = two === undefined ? undefined : 2;
  const settings = { python, device, dtype, processes, threads: threads * (processes ?? 1) };
  const program = `
    import { startEngine } from "./bench/engine.ts";
    import { benchIteration } from "./bench/iteration.ts";
    import { cpuOf, peakOf } from "./bench/worker-use.ts";
    import { createTorchEngine } from "./src/engine/torch/index.ts";
    const torch = ${contender !== "embedded"};
    const engine = torch ? await createTorchEngine(${JSON.stringify(settings)}) : await startEngine(${threads});
    const pids = torch ? engine.worker.pids : [];
    const result = await benchIteration(engine, ${JSON.stringify(shape)}, { workerCpu: () => cpuOf(pids) });
    const peakMb = result.peakMb + peakOf(pids);
    await engine.close();
    console.log(JSON.stringify({ ...result, peakMb }));
  `;
  const args = ["--import", "tsx", "--input-type=module", "--eval", program];
  const output = execFileSync(process.execPath, args, { cwd: here, encoding: "utf8" });
  return JSON.parse(output.trim().split("\n").at(-1)!) as Figures;
}

function trl(shape: BenchShape, threads: number): Figures {
  const script = fileURLToPath(new URL("./peers/trl_ppo.py", import.meta.url));
  const settings = Object.entries({ ...shape, threads }).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const output = execFileSync(python, [script, ...settings], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output.trim().split("\n").at(-1)!) as Figures;
}

/** What a contender lacks on this machine and how to get it, or null. */
export function missing(contender: Contender, device = "cpu"): string | null {
  if (device !== "cpu" && !contender.startsWith("torch"))
    return `${contender} is not measured: it computes on the CPU here, and the device is ${device}`;
  if (contender === "embedded") return null;
  const modules = contender === "TRL" ? "torch, transformers, datasets, trl.experimental.ppo" : "torch, transformers";
  try {
    const program = `import ${modules}\nif ${JSON.stringify(device)} != "cpu": torch.empty(0, device=${JSON.stringify(device)})`;
    execFileSync(python, ["-c", program], { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return null;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const said = stderr?.trim().split("\n").at(-1) || message;
    if (device !== "cpu" && !said.includes("No module named"))
      return `${contender} is not measured: ${python} cannot compute on ${device}: ${said}`;
    const checkout = `, and a checkout of TRL by BALLAST_PEERS_TRL (git clone https://github.com/huggingface/trl && git -C trl checkout ${trlCommit})`;
    return `${contender} is not measured: ${python} says "${said}". Name a Python with ${modules.replace(", trl.experimental.ppo", "")} by BALLAST_PEERS_PYTHON${contender === "TRL" ? checkout : ""}.`;
  }
}
