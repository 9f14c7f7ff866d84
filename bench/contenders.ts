/**
 * An iteration of the embedded engine, of the PyTorch engine and of TRL (its last PPO trainer, its GRPO trainer), each in a process of its own. The PyTorch
 * engine and TRL need a Python, named by BALLAST_PEERS_PYTHON (else `python3`): with torch and transformers, for TRL also datasets (its GRPO: requests) and a
 * checkout, named by BALLAST_PEERS_TRL.
 */
import { execFileSync } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import type { IterationResult } from "./iteration.ts";
import { here } from "./revision.ts";
import type { BenchShape } from "./shapes.ts";

/** A commit of TRL that still has its PPO trainer. */
const trlCommit = "f2cd57710ae345ea6428ae95363267fcf38a3dc8";

export const contenders = [
  "embedded",
  "torch fp32",
  "torch bf16",
  "torch fp32 x 2",
  "torch bf16 x 2",
  "TRL",
  "TRL bf16",
] as const;
export type Contender = (typeof contenders)[number];

/** Seconds, CPU seconds and MB of an iteration, all processes together, and MB on the device. TRL's has no part by part account. */
export type Figures = Pick<IterationResult, "total" | "rollout" | "cpuSeconds" | "peakMb"> &
  Partial<Pick<IterationResult, "score" | "passes" | "update" | "outsideEngineShare">> & {
    readonly deviceMb?: number;
  };

const python = process.env.BALLAST_PEERS_PYTHON ?? "python3";
const paths = [process.env.BALLAST_PEERS_TRL, process.env.PYTHONPATH].filter((path) => path !== undefined);
const env = { ...process.env, PYTHONPATH: paths.join(delimiter) };

/** Of `x 2` each of the two processes has `threads`. `device`: PyTorch's name of it. TRL trains float32 weights, in autocast to bfloat16 as `TRL bf16`. */
export function measure(contender: Contender, shape: BenchShape, threads: number, device = "cpu"): Figures {
  return isTrl(contender) ? trl(contender, shape, { threads, device }) : ballast(contender, shape, { threads, device });
}

interface Place {
  readonly threads: number;
  readonly device: string;
}

const isTrl = (contender: Contender) => contender.startsWith("TRL");

function ballast(contender: Contender, shape: BenchShape, { threads, device }: Place): Figures {
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
    const { deviceMb = 0 } = await engine.usage();
    await engine.close();
    console.log(JSON.stringify({ ...result, peakMb, deviceMb }));
  `;
  const args = ["--import", "tsx", "--input-type=module", "--eval", program];
  const output = execFileSync(process.execPath, args, { cwd: here, encoding: "utf8" });
  return JSON.parse(output.trim().split("\n").at(-1)!) as Figures;
}

function trl(contender: Contender, shape: BenchShape, { threads, device }: Place): Figures {
  const script = fileURLToPath(new URL(`./peers/trl_${shape.algorithm}.py`, import.meta.url));
  const settings = Object.entries({ ...shape, threads, device }).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const args = [script, ...settings, ...(contender === "TRL bf16" ? ["--bf16"] : [])];
  const output = execFileSync(python, args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return JSON.parse(output.trim().split("\n").at(-1)!) as Figures;
}

/** What a contender lacks on this machine and how to get it, or null. */
export function missing(
  contender: Contender,
  {
    device = "cpu",
    algorithm = "ppo",
  }: { readonly device?: string; readonly algorithm?: BenchShape["algorithm"] } = {},
): string | null {
  if (contender === "embedded")
    return device === "cpu"
      ? null
      : `${contender} is not measured: it computes on the CPU, and the device is ${device}`;
  const trainer = { ppo: "trl.experimental.ppo", grpo: "trl.trainer.grpo_trainer" }[algorithm];
  const packages = ["torch", "transformers", ...(isTrl(contender) ? ["datasets"] : [])];
  if (isTrl(contender) && algorithm === "grpo") packages.push("requests");
  const modules = [...packages, ...(isTrl(contender) ? [trainer] : [])].join(", ");
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
    return `${contender} is not measured: ${python} says "${said}". Name a Python with ${packages.join(", ")} by BALLAST_PEERS_PYTHON${isTrl(contender) ? checkout : ""}.`;
  }
}
