/** Paths as a user would type them from the current directory. */
import { isAbsolute, relative, sep } from "node:path";

/** The shorter of the absolute path and the one from the current directory, which stays below it. */
export function shortPath(path: string): string {
  if (!isAbsolute(path)) return path;
  const short = relative(process.cwd(), path) || ".";
  return short.startsWith(`..${sep}`) || short === ".." ? path : short;
}

/** A message in which files below the current directory are named from there. */
export function withoutCurrentDirectory(message: string): string {
  const here = process.cwd();
  if (here === sep) return message;
  // Not in the midst of another path: /tmp/ of /var/tmp/.
  return message.replaceAll(`${here}${sep}`, (found, at: number) =>
    /[\w.-]/.test(message[at - 1] ?? "") ? found : "",
  );
}
