/** `--dashboard`: runs `ballast serve` in a separate process beside a training run, so that training never waits for a page. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface DashboardOptions {
  readonly workspace: string;
  /** Called once with the address and its token. */
  readonly onAddress: (address: string) => void;
  /** Called once with the reason if there is no page, or no longer one. */
  readonly onFailure: (reason: string) => void;
  /** The program that serves the page. */
  readonly command?: readonly string[];
}

export interface RunningDashboard {
  /** Ends the process; resolves when it is gone. */
  close(): Promise<void>;
}

/** Milliseconds that it has to end by itself. */
const patience = 2_000;

/** Starts the dashboard on the usual port or, if that is taken, on a free one. It ends with this process, however that ends. */
export function startDashboard(options: DashboardOptions): RunningDashboard {
  const { workspace, onAddress, onFailure, command = [process.execPath, process.argv[1]!] } = options;
  let child: ChildProcess;
  let closed = false;
  const begin = (...port: string[]) => {
    const [program, ...args] = [...command, "serve", "--workspace", workspace, ...port] as [string, ...string[]];
    // Ctrl-C is for the trainer, which still saves: in its own process group the page does not receive it. It ends when the channel closes, even if
    // this process is killed.
    child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true, windowsHide: true });
    let output = "";
    let complaint = "";
    let shown = false;
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      output = `${output}${text}`.slice(-10_000);
      const address = /http\S+#\/\?token=\S+(?=\s)/.exec(output)?.[0];
      if (address === undefined || shown) return;
      shown = true;
      onAddress(address);
    });
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      complaint = `${complaint}${text}`.slice(-10_000);
    });
    child.once("error", (error) => onFailure(error.message));
    child.once("close", () => {
      if (closed) return;
      if (!shown && port.length === 0 && /port \d+ is in use/.test(complaint)) begin("--port", "0");
      else onFailure(/error: (.*)/.exec(complaint)?.[1] ?? "it ended");
    });
    child.unref();
    child.channel?.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref?: () => void }).unref?.();
  };
  begin();
  return {
    async close() {
      if (closed) return;
      closed = true;
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      const last = setTimeout(() => child.kill("SIGKILL"), patience);
      await gone;
      clearTimeout(last);
    },
  };
}
