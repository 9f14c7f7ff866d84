/** `ballast serve`: a Prometheus endpoint over a workspace, on this machine alone, until Ctrl-C. */
import { join } from "node:path";
import { createApp, listen } from "../../server/index.ts";
import { openStore } from "../../store/index.ts";
import type { Terminal } from "../terminal.ts";

export interface ServeOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly workspace: string;
  readonly terminal: Terminal;
}

export async function serve({ port, workspace, terminal }: ServeOptions): Promise<number> {
  const store = openStore(join(workspace, "ballast.db"), { readonly: true });
  try {
    const ended = signal();
    const server = await listen(createApp(store), { port });
    terminal.out(`Prometheus: http://127.0.0.1:${server.port}/metrics   (Ctrl-C ends)`);
    await ended;
    await server.close();
  } finally {
    store.close();
  }
  return 0;
}

/** Resolves with the first signal that asks the process to end; the next one ends it at once. */
function signal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => resolve());
  });
}
