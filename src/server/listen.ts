/** Opens a port, which only this machine can reach unless a different host is given, and closes it. */
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { serve } from "@hono/node-server";
import type { Hono } from "hono";
import { BallastError, messageOf } from "../util/errors.ts";
import { remedyFor } from "../util/system-faults.ts";

export interface Listening {
  /** The port in use. */
  readonly port: number;
  /** The address in a browser, without a slash at the end. */
  readonly url: string;
  /** Closes the port and the open connections. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /** The port; 0 picks a free one. */
  readonly port: number;
  /** The address to listen on; 127.0.0.1 by default. */
  readonly host?: string;
}

/**
 * Starts listening.
 * @throws BallastError if the port is not available.
 */
export function listen(app: Hono, { port, host = "127.0.0.1" }: ListenOptions): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port });
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new BallastError(
              `port ${port} is in use`,
              "Is another `ballast serve` running? Choose another with --port.",
            )
          : new BallastError(
              `cannot listen on ${host}:${port}: ${messageOf(error)}`,
              remedyFor(error) ?? "Choose another with --port.",
            ),
      ),
    );
    server.once("listening", () =>
      resolve({
        ...addressOf(host, server.address() as AddressInfo),
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            if ("closeAllConnections" in server) server.closeAllConnections();
          }),
      }),
    );
  });
}

/** The address of a server; one that listens on all interfaces is named by this machine. */
function addressOf(host: string, { port }: AddressInfo): Pick<Listening, "port" | "url"> {
  const everywhere = host === "0.0.0.0" || host === "::";
  const name = everywhere ? hostname() : host;
  return { port, url: `http://${name.includes(":") ? `[${name}]` : name}:${port}` };
}
