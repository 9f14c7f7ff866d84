/** The server's workspace, and how commands name it. */
import { signal } from "@preact/signals";
import type { WorkspaceAnswer } from "../../../src/types/page.ts";

export const workspace = signal<WorkspaceAnswer | null>(null);

/** A command line for this workspace: `./bin/ballast tell demo-1 pause --workspace /tmp/runs`. */
export function commandOf(words: string): string {
  const { self, option } = workspace.value ?? { self: "ballast", option: "" };
  return [self, words, option].filter(Boolean).join(" ");
}

/** Like `commandOf`, for a command that trains: it takes the workspace as a setting of the configuration. */
export function trainingCommandOf(words: string): string {
  const { self, option } = workspace.value ?? { self: "ballast", option: "" };
  return [self, words, option.replace(/^--workspace /, "workspace=")].filter(Boolean).join(" ");
}

/** The text, quoted for a shell if necessary. */
export function quoted(text: string): string {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
