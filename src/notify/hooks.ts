/** The targets of notices: the entries of `control.notify` with their addresses and tokens, which only the environment has. */
import type { NotifyConfig } from "../config/index.ts";
import type { Tier } from "../types/alerts.ts";
import { UsageError } from "../util/errors.ts";

export interface Hook {
  /** The name in messages: the variable's name, never its content. */
  readonly name: string;
  readonly kind: NotifyConfig["kind"];
  readonly url: string;
  readonly token: string | null;
  readonly tiers: readonly Tier[];
  readonly samples: boolean;
  readonly timeoutMs: number;
  readonly retries: number;
}

/**
 * The webhooks of `control.notify`.
 * @throws UsageError, without the value, if a variable is not set or does not hold an address
 */
export function hooksOf(entries: readonly NotifyConfig[], env: NodeJS.ProcessEnv): Hook[] {
  return entries.map(({ urlEnv, tokenEnv, tiers, ...entry }, i) => {
    const url = required(env, urlEnv, `control.notify.${i}.urlEnv`);
    if (!isAddress(url))
      throw new UsageError(
        `${urlEnv} does not hold a webhook's address`,
        "It must begin with https:// or http://, without a name and password: a token has a variable of its own, tokenEnv.",
      );
    const token = tokenEnv === undefined ? null : required(env, tokenEnv, `control.notify.${i}.tokenEnv`);
    if (token !== null && !/^[\x21-\x7e]+$/.test(token))
      throw new UsageError(`${tokenEnv} does not hold a token`, "A token has no spaces or line breaks.");
    return { name: urlEnv, url, token, tiers: tiers as readonly Tier[], ...entry };
  });
}

function required(env: NodeJS.ProcessEnv, name: string, key: string): string {
  const value = env[name]?.trim();
  if (value) return value;
  throw new UsageError(
    `${key}: the environment variable ${name} is not set`,
    `Set it: export ${name}=... To start a run without webhooks: control.notify=[].`,
  );
}

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === "" && password === "";
}
