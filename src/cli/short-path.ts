/** Paths as a user would type them from the current directory. */
import { type On, pathsOf, sameName } from "../util/platform.ts";

interface From extends On {
  /** The current directory. */
  readonly cwd?: string;
}

/** The shorter of the absolute path and the path relative to the current directory, if that stays below it. */
export function shortPath(path: string, { cwd = process.cwd(), ...on }: From = {}): string {
  const { isAbsolute, relative, sep } = pathsOf(on);
  if (!isAbsolute(path)) return path;
  const short = relative(cwd, path) || ".";
  return short.startsWith(`..${sep}`) || short === ".." ? path : short;
}

/** A message in which paths below the current directory are relative to it. */
export function withoutCurrentDirectory(message: string, { cwd = process.cwd(), ...on }: From = {}): string {
  const { parse, sep } = pathsOf(on);
  if (parse(cwd).root === cwd) return message;
  const here = `${cwd}${sep}`;
  let short = "";
  for (let at = 0; at < message.length; ) {
    // Not in the middle of a longer path: /tmp/ in /var/tmp/.
    const begins = sameName(message.slice(at, at + here.length), here, on) && !/[\w.-]/.test(message[at - 1] ?? "");
    if (!begins) short += message[at];
    at += begins ? here.length : 1;
  }
  return short;
}
