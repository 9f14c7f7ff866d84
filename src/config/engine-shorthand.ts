/** `engine: torch` for `engine: {kind: torch}`, in a file and in an override. */
import { at } from "../settings/schema-fields.ts";
import type { Path } from "../util/yaml-source.ts";

const roles = ["reference", "critic", "reward"];

/** Whether a section with an engine's kind is at this path: `engine`, or that of one role. */
export function isEngine([section, role, ...rest]: Path): boolean {
  return section === "engine" && rest.length === 0 && (role === undefined || roles.includes(String(role)));
}

/** The section that a value stands for: a text is the engine's kind. */
export function engineOf(value: unknown): unknown {
  return typeof value === "string" ? { kind: value } : value;
}

/** A configuration whose engines are sections. */
export function withEngineSections(root: Record<string, unknown>): Record<string, unknown> {
  if (at(root, "engine") === undefined) return root;
  const engine = engineOf(root.engine);
  const own = roles.flatMap((role) => {
    const value = at(engine, role);
    return value === undefined ? [] : [[role, engineOf(value)]];
  });
  return { ...root, engine: own.length === 0 ? engine : { ...(engine as object), ...Object.fromEntries(own) } };
}
