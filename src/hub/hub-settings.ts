/** Where the Hub and its cache are, by the environment variables that Hugging Face's own client reads. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../util/errors.ts";

export interface HubSettings {
  /** The Hub's address without a slash at its end: HF_ENDPOINT, by default the public one. */
  readonly endpoint: string;
  /** HF_TOKEN, or what `hf auth login` has saved. */
  readonly token: string | null;
  /** HF_HUB_OFFLINE: nothing is asked of the network. */
  readonly offline: boolean;
}

/** Throws UsageError if HF_ENDPOINT is no address. */
export function hubSettings(env: NodeJS.ProcessEnv = process.env): HubSettings {
  const endpoint = (env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");
  if (!/^https?:\/\/[^/\s]+/.test(endpoint) || !URL.canParse(endpoint))
    throw new UsageError(
      `HF_ENDPOINT is "${endpoint}", which is no address`,
      "Set it to https://..., or unset it for the public Hub.",
    );
  return { endpoint, token: tokenOf(env), offline: isOffline(env) };
}

export function isOffline(env: NodeJS.ProcessEnv = process.env): boolean {
  return /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE || "");
}

/** The cache's folder: HF_HUB_CACHE, else `hub` in HF_HOME, else in `~/.cache/huggingface`. It need not exist. */
export function hubCache(env: NodeJS.ProcessEnv = process.env): string {
  return expanded(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(hubHome(env), "hub"), env);
}

function hubHome(env: NodeJS.ProcessEnv): string {
  return expanded(env.HF_HOME || join(env.XDG_CACHE_HOME || join(home(env), ".cache"), "huggingface"), env);
}

function tokenOf(env: NodeJS.ProcessEnv): string | null {
  const given = cleaned(env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || "");
  if (given !== "") return given;
  const path = expanded(env.HF_TOKEN_PATH || join(hubHome(env), "token"), env);
  return (existsSync(path) && cleaned(readFileSync(path, "utf8"))) || null;
}

function cleaned(token: string): string {
  return token.replace(/[\r\n]/g, "").trim();
}

function home(env: NodeJS.ProcessEnv): string {
  return env.HOME || env.USERPROFILE || homedir();
}

/** `~` and `$NAME` in a path, as Python expands them. */
function expanded(path: string, env: NodeJS.ProcessEnv): string {
  return path
    .replace(/^~(?=$|[\\/])/, () => home(env))
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (found, braced, bare) => env[braced ?? bare] ?? found);
}
