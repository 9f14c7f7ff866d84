/** `ballast engine`: makes the environment of the PyTorch engine, and checks the engine on this machine. */

import type { CheckResult } from "../../../engine/conformance/engine-conformance.ts";
import type { Engine } from "../../../engine/engine.ts";
import type { TinkerEngineOptions } from "../../../engine/tinker/index.ts";
import { checkTinker } from "../../../engine/tinker/tinker-check.ts";
import type { TorchDtype } from "../../../engine/torch/index.ts";
import { type JoinOptions, joinRanks } from "../../../engine/torch/join-ranks.ts";
import { checkTorch } from "../../../engine/torch/torch-check.ts";
import { setUpTorch } from "../../../engine/torch/torch-setup.ts";
import { UsageError } from "../../../util/errors.ts";
import { closeAtSignal } from "../../interrupt.ts";
import { jsonLine } from "../../json-line.ts";
import type { Terminal } from "../../terminal.ts";

export interface SetupEngineOptions {
  readonly python?: string;
  readonly build?: "cpu" | "cuda";
  readonly index?: string;
  readonly force?: boolean;
  readonly terminal: Terminal;
}

export async function setupEngine({ terminal, ...options }: SetupEngineOptions): Promise<number> {
  const startedAt = performance.now();
  const { folder, python, made } = await setUpTorch({ ...options, onNote: (text) => terminal.note(text) });
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  terminal.out(
    made
      ? `The PyTorch engine's environment for ${made} is in ${folder}, after ${seconds} s.`
      : `There is an environment in ${folder} already; --force makes it anew.`,
  );
  terminal.out(`Its Python is ${python}`);
  terminal.note("Next:\n  ballast engine check torch\n  ballast run CONFIG.yaml engine=torch");
  return 0;
}

/** Runs until the machine that trains ends. */
export async function joinEngine({
  terminal,
  ...options
}: JoinOptions & { readonly terminal: Terminal }): Promise<number> {
  const { processes, nodes, node, rendezvous } = options;
  terminal.note(
    `machine ${node} of ${nodes} (${processes} ${processes === 1 ? "process" : "processes"}) waits up to an hour for the run at ${rendezvous}; Ctrl-C ends it`,
  );
  await joinRanks(options);
  terminal.note("the run's processes on another machine have ended, and these with them");
  return 0;
}

export interface CheckServerOptions extends Pick<TinkerEngineOptions, "url" | "model" | "backend" | "keyEnv" | "base"> {
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Exit code 0 if every check passes, else 1. */
export async function checkServer({ json = false, terminal, ...server }: CheckServerOptions): Promise<number> {
  const { base, url, backend } = server;
  if (base === undefined)
    throw new UsageError(
      "engine check tinker needs --base: a folder of the server's base model",
      "Its config.json is read, for the sizes.",
    );
  terminal.note("checking what every engine must do; a server that compiles takes a minute or two");
  let dispose = () => {};
  const onOpened = (engine: Pick<Engine, "close">) => {
    dispose = closeAtSignal(engine, { kind: "tinker" });
  };
  const checks = await checkTinker({ ...server, base, onOpened, onNote: (text) => terminal.note(text) }).finally(() =>
    dispose(),
  );
  return tellChecks(checks, { json, terminal, report: { url, backend } });
}

export interface CheckEngineOptions {
  readonly python?: string;
  readonly device: string;
  readonly dtype: TorchDtype;
  readonly threads: number;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Exit code 0 if every check passes, else 1. */
export async function checkEngineHere({ json = false, terminal, ...options }: CheckEngineOptions): Promise<number> {
  const report = await checkTorch({ ...options, onNote: (text) => terminal.note(text) });
  const { checks, versions, ceilingGflops, gflops, tokensPerSecond } = report;
  if (json) return tellChecks(checks, { json, terminal, report });
  const line = (name: string, value: string) => terminal.out(`${name.padEnd(10)} ${value}`);
  line("device", `${report.device}, ${report.dtype}, ${report.threads} threads, float32 products "${report.matmul}"`);
  line(
    "versions",
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  );
  const exitCode = tellChecks(checks, { json, terminal, report });
  const share = `${Math.round((100 * gflops) / ceilingGflops)}%`;
  line(
    "speed",
    `${Math.round(tokensPerSecond).toLocaleString("en-US")} tokens/s in steps of 3.3 million parameters: ${Math.round(gflops)} of the ${Math.round(ceilingGflops)} GFLOP/s of a square product, ${share}`,
  );
  if (report.device !== "cpu")
    line(
      "untried",
      `Ballast itself was never run on ${report.device}, nor was this check: docs/engines.md lists what has run on CPUs only`,
    );
  return exitCode;
}

/** Prints the results of the checks; 0 if none failed, else 1. */
function tellChecks(
  checks: readonly CheckResult[],
  { json, terminal, report }: { readonly json: boolean; readonly terminal: Terminal; readonly report: object },
): number {
  const failed = checks.filter((check) => check.outcome === "failed");
  const exitCode = failed.length === 0 ? 0 : 1;
  if (json) {
    const plain = checks.map((check) => ({
      ...check,
      ...(check.outcome === "failed" && { error: check.error.message }),
    }));
    terminal.out(jsonLine({ ...report, checks: plain }));
    return exitCode;
  }
  const passed = checks.filter(({ outcome }) => outcome === "passed").length;
  const lacks = [...new Set(checks.flatMap((check) => (check.outcome === "left out" ? check.lacks : [])))];
  const without = lacks.length === 0 ? "" : `, without those of what it lacks: ${lacks.join(", ")}`;
  terminal.out(`${"checks".padEnd(10)} ${passed} passed, ${failed.length} failed${without}`);
  for (const check of failed)
    terminal.out(`${"".padEnd(10)} failed: ${check.name}: ${check.error.message.split("\n")[0]}`);
  return exitCode;
}
