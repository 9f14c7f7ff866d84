/** What the page sends and receives to talk with models, and to rate their answers. */
import type { Stage } from "./records.ts";

/** GET /api/playground */
export interface PlaygroundAnswer {
  /** Models of the workspace: of each run the result, then its checkpoints, newest first; then other folders. */
  readonly models: readonly WorkspaceModel[];
  /** Paths of the models that are loaded now. */
  readonly loaded: readonly string[];
}

export interface WorkspaceModel {
  /** The folder, as a user would write it. */
  readonly path: string;
  /** The run that made it; null for a folder that no run made. */
  readonly run: string | null;
  readonly stage: Stage | null;
  /** Steps done at a checkpoint; null for the result of a stage, and for other folders. */
  readonly step: number | null;
}

export interface PlaygroundMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** POST /api/playground/reply: answers with lines of JSON, each a `ReplyLine`. Ending the request ends the answer. Changes nothing. */
export interface ReplyRequest {
  /** One of the models' paths. */
  readonly model: string;
  readonly messages: readonly PlaygroundMessage[];
  readonly temperature: number;
  readonly maxTokens: number;
  readonly seed: number;
}

export type ReplyLine =
  /** What happens before the first word, such as loading the model. */
  | { readonly kind: "note"; readonly says: string }
  /** The whole text so far. */
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "done";
      readonly text: string;
      readonly tokens: number;
      readonly promptTokens: number;
      readonly stopReason: "stop" | "length" | "stopped";
      readonly seconds: number;
    }
  | { readonly kind: "problem"; readonly error: string; readonly hint?: string };

/** What talks with models: a part of the program above the server. */
export interface Playground {
  readonly offers: () => PlaygroundAnswer;
  /** Answers one request; `tell` receives its lines, the last of which is `done` or `problem`. */
  readonly reply: (request: ReplyRequest, tell: (line: ReplyLine) => void, ended: AbortSignal) => Promise<void>;
}

/** POST /api/runs/:run/preferences: which of two answers to a prompt an operator prefers. No `If-Match`. */
export interface NewPagePreference {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

/** GET /api/runs/:run/pairs?skip=0: two stored samples of one prompt that this operator has not compared, in random order. */
export interface SamplePair {
  readonly prompt: string;
  readonly responses: readonly { readonly text: string; readonly iterations: readonly number[] }[];
  /** Pairs that are left, this one included. */
  readonly left: number;
}
