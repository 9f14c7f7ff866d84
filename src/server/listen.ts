/** Opens a port on this machine alone, and closes it. */
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { Hono } from "hono";
import { BallastError, messageOf } from "../util/errors.ts";

export interface Listening {
  /** The port that was taken. */
  readonly port: number;
  /** Ends the connections that are open. */
  close(): Promise<void>;
}

/** Port 0 takes a free one. @throws BallastError where the port cannot be had. */
export function listen(app: Hono, { port }: { port: number }): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port });
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new BallastError(
              `port ${port} is in use`,
              "Is another `ballast serve` running? Choose another with --port.",
            )
          : new BallastError(`cannot listen on 127.0.0.1:${port}: ${messageOf(error)}`, "Choose another with --port."),
      ),
    );
    server.once("listening", () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            if ("closeAllConnections" in server) server.closeAllConnections();
          }),
      }),
    );
  });
}
