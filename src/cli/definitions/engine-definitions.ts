/** The commands that set up and check engines that are not in this process. */
import { Argument, Option } from "commander";
import { tinkerBackendNames } from "../../settings/tinker-backend-names.ts";
import { mostProcesses, mostThreads } from "../../util/limits.ts";
import { integer, text } from "../arguments.ts";
import type { CommandMaker } from "./command-maker.ts";

const KIND = new Argument("<kind>", "the engine's kind").choices(["torch"]);
const CHECKED = new Argument("<kind>", "the engine's kind").choices(["torch", "tinker"]);

export function defineEngine({ command, does, terminal }: CommandMaker): void {
  const engine = command(
    "engine",
    "set up and check the PyTorch engine, check a server of Tinker's protocol",
    "engine setup torch",
    "engine check torch",
    "engine check torch --dtype bf16",
    "engine check tinker --url http://box:8000 --model qwen --base qwen",
    "engine join torch --rendezvous 10.0.0.1:29500 --node 1 --nodes 2",
    "run examples/helpdesk/mini.yaml engine=torch",
  );
  engine
    .command("setup")
    .description("make the engine's Python environment, with pinned packages, in your cache")
    .addArgument(KIND)
    .option("--python <program>", "the Python to make it with, 3.11 or later; default: uv's choice, else python3", text)
    .addOption(
      new Option("--build <kind>", "PyTorch's build; default: cuda if there is an NVIDIA GPU").choices(["cpu", "cuda"]),
    )
    .option("--index <url>", "a package index beside those of pip or uv", text)
    .option("--force", "make it anew although there is one")
    .action(
      does(async (_kind, options) =>
        (await import("../commands/engine/index.ts")).setupEngine({ ...options, terminal }),
      ),
    );
  engine
    .command("join")
    .description("processes on this machine for a run on a different one, with engine.nodes and engine.rendezvous")
    .addArgument(KIND)
    .requiredOption("--rendezvous <host:port>", "the run's engine.rendezvous", text)
    .requiredOption("--node <n>", "which machine this is, from 1; the one that trains is 0", integer(1, mostProcesses))
    .option("--nodes <n>", "machines, the run's engine.nodes", integer(2, mostProcesses), 2)
    .option("--processes <n>", "processes on each machine, the run's engine.processes", integer(1, mostProcesses), 1)
    .option("--python <program>", "a Python that has PyTorch; default: that of the setup", text)
    .option("--threads <n>", "threads on this machine; 0 uses the physical cores", integer(0, mostThreads), 0)
    .action(
      does(async (_kind, options) =>
        (await import("../commands/engine/index.ts")).joinEngine({ ...options, terminal }),
      ),
    );
  engine
    .command("check")
    .description("what the engine runs on, whether it computes as it must, and how fast")
    .addArgument(CHECKED)
    .option("--python <program>", "torch: a Python that has PyTorch; default: that of the setup", text)
    .option("--device <name>", "torch: auto, cpu, cuda, cuda:1", text, "auto")
    .addOption(new Option("--dtype <type>", "torch: what passes compute in").choices(["fp32", "bf16"]).default("fp32"))
    .option("--threads <n>", "torch: threads; 0 uses the physical cores", integer(0, mostThreads), 0)
    .option("--url <address>", "tinker: the server's address", text)
    .option("--model <name>", "tinker: the server's name of its base model", text)
    .addOption(
      new Option("--backend <kind>", "tinker: what kind of server it is")
        .choices(tinkerBackendNames)
        .default("skyrl-jax"),
    )
    .option("--base <folder>", "tinker: a folder of the base model, of which config.json is read", text)
    .option("--key-env <variable>", "tinker: the environment variable that holds the key", text)
    .option("--json", "print one line of JSON")
    .action(
      does(async (kind, options) => {
        const commands = await import("../commands/engine/index.ts");
        return kind === "tinker"
          ? commands.checkServer({ ...options, terminal })
          : commands.checkEngineHere({ ...options, terminal });
      }),
    );
}
