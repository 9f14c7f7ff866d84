/** `ballast serve`: serves the dashboard and the Prometheus endpoint of a workspace, until Ctrl-C. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import {
  createApp,
  isLoopback,
  type Listening,
  listen,
  loadWeb,
  namesOf,
  workspaceToken,
} from "../../../server/index.ts";
import { databaseOf, openStore, type Store } from "../../../store/index.ts";
import { BallastError, messageOf } from "../../../util/errors.ts";
import { browserCommand, endingSignals } from "../../../util/platform.ts";
import { remedyFor } from "../../../util/system-faults.ts";
import { selfName, workspaceOption } from "../../find-run.ts";
import type { Terminal } from "../../terminal.ts";
import { createPlayground } from "./playground.ts";
import { createRunDesk } from "./run-desk.ts";

export interface ServeOptions {
  /** The port; 0 picks a free one. */
  readonly port: number;
  /** The address to listen on; 127.0.0.1 by default, which only this machine can reach. */
  readonly host?: string;
  readonly workspace: string;
  /** Show the page in a browser. */
  readonly open?: boolean;
  readonly terminal: Terminal;
}

export async function serve({
  port,
  host = "127.0.0.1",
  workspace,
  open = false,
  terminal,
}: ServeOptions): Promise<number> {
  const ended = signal();
  const { server, address, close } = await openDashboard({ port, host, workspace, terminal });
  terminal.out(`Dashboard:  ${address}`);
  terminal.out(`Prometheus: ${server.url}/metrics   (Ctrl-C ends)`);
  if (open) showPage(address, terminal);
  await ended;
  await close();
  return 0;
}

export interface Dashboard {
  readonly server: Listening;
  /** The page's address, with the token. */
  readonly address: string;
  close(): Promise<void>;
}

/** Opens the dashboard of a workspace, which may have no runs yet. */
export async function openDashboard({
  port,
  host = "127.0.0.1",
  workspace,
  terminal,
}: Omit<ServeOptions, "open">): Promise<Dashboard> {
  const c = terminal.noteColours;
  try {
    mkdirSync(workspace, { recursive: true });
  } catch (error) {
    throw new BallastError(
      `cannot make the folder of runs ${workspace}: ${messageOf(error)}`,
      remedyFor(error) ?? "Name a different one.",
    );
  }
  const token = workspaceToken(workspace);
  const web = await loadWeb({ onBuild: () => terminal.note(c.dim("building the page, once")) });
  const store: Store = openStore(databaseOf(workspace));
  const ending = new AbortController();
  const desk = createRunDesk({ workspace: resolve(workspace), store });
  const playground = createPlayground({ workspace: resolve(workspace) });
  try {
    const app = createApp(store, {
      workspace: resolve(workspace),
      token,
      web,
      desk,
      playground,
      self: selfName(),
      option: workspaceOption(workspace).trim(),
      hosts: namesOf(host),
      tokenToRead: !isLoopback(host),
      ended: ending.signal,
      onError: (error) => terminal.note(`${c.yellow("warning:")} ${messageOf(error)}`),
    });
    const server = await listen(app, { port, host });
    const close = async () => {
      ending.abort();
      await desk.close();
      await playground.close();
      await server.close();
      store.close();
    };
    return { server, address: `${server.url}/#/?token=${token}`, close };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Shows the page in a browser; without one, the address has been printed. */
function showPage(address: string, terminal: Terminal): void {
  const [program, ...args] = browserCommand(address);
  const child = spawn(program, args, { stdio: "ignore", detached: true, windowsHide: true });
  child.on("error", () => terminal.note(`${program} was not found: open the address yourself.`));
  child.unref();
}

/** Resolves at the first signal that asks the process to end (the next one ends it at once), or when the trainer that started it is gone. */
function signal(): Promise<void> {
  return new Promise((resolve) => {
    process.once("disconnect", () => resolve());
    // The channel must not keep alive a process that could not open its port.
    process.channel?.unref();
    for (const name of endingSignals()) process.once(name, () => resolve());
  });
}
