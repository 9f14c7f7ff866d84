/** The workspace's token: a file that only its owner can read. Whoever has it may change runs. */
import { randomBytes } from "node:crypto";
import { linkSync, lstatSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { BallastError, messageOf } from "../util/errors.ts";
import { othersMayRead, rename } from "../util/platform.ts";

/**
 * Reads `<workspace>/token`, or creates it if it does not exist.
 * @throws BallastError if other users can read it, or it is not a token.
 */
export function workspaceToken(workspace: string): string {
  const path = join(workspace, "token");
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) makeToken(path);
  } catch (error) {
    throw new BallastError(`cannot write ${path}: ${messageOf(error)}`, "The dashboard's token is stored there.");
  }
  const found = lstatSync(path);
  if (!found.isFile()) throw new BallastError(`${path} is not a plain file`, `Move it away: rm ${path}`);
  if (othersMayRead(found.mode))
    throw new BallastError(
      `others can read the token ${path}`,
      `Whoever has it may change your runs. Make a new one: rm ${path}`,
    );
  const token = readFileSync(path, "utf8").trim();
  if (!/^[A-Za-z0-9_-]{20,}$/.test(token))
    throw new BallastError(`${path} does not hold a token`, `Make a new one: rm ${path}`);
  return token;
}

/** If two servers start at the same moment, the first creates it: unlike a rename, a link replaces nothing. */
function makeToken(path: string): void {
  const own = `${path}-${process.pid}`;
  writeDurably(own, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
  try {
    linkSync(own, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // File systems of memory cards have no links.
    if (code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS") rename(own, path);
    else if (code !== "EEXIST") throw error;
  } finally {
    rmSync(own, { force: true });
  }
}
