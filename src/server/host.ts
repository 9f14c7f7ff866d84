/** Answers only requests that name this machine: a page of a different site cannot reach the server under the site's own name. */
import { hostname, networkInterfaces } from "node:os";
import type { MiddlewareHandler } from "hono";

/** A site whose name resolves to 127.0.0.1 (DNS rebinding) still sends that name. */
const loopback = ["localhost", "127.0.0.1", "[::1]"];

/** A host with or without a port. */
const parts = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i;

/** Refuses requests for unknown hosts. `hosts` are names besides those of the loopback device. */
export function ownHostOnly(hosts: readonly string[]): MiddlewareHandler {
  const own = new Set([...loopback, ...hosts.map((host) => host.toLowerCase())]);
  return async (c, next) => {
    const name = parts.exec(c.req.header("host") ?? "")?.[1]?.toLowerCase();
    if (name === undefined || !own.has(name))
      return c.text("This server answers only to the names of its own machine.\n", 403);
    return next();
  };
}

/** Names of a server that listens on `host`: that name and, if other machines reach it, this machine's name and its addresses. */
export function namesOf(host: string): string[] {
  if (isLoopback(host)) return [host];
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
  const names = [host, hostname(), ...addresses.map((address) => address.replace(/%.*$/, ""))];
  return [...new Set(names.map((name) => (name.includes(":") ? `[${name.replace(/^\[|\]$/g, "")}]` : name)))];
}

/** Whether only this machine can reach a server that listens on this host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
