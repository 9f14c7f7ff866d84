/** A judge over HTTP: a service that is asked about one response at a time and answers with a score. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, RewardError, UsageError } from "../util/errors.ts";
import type { Scored } from "./reward-types.ts";

export interface JudgeOptions {
  /** The environment variables with the address and, if there is one, the token. */
  readonly urlEnv: string;
  readonly tokenEnv?: string | undefined;
  /** Time limit of one request, in milliseconds. */
  readonly timeoutMs: number;
  /** Further attempts after a request that failed. */
  readonly retries: number;
  /** What the answers are judged by: sent with each. */
  readonly objective: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds before the first retry; each further pause is twice as long. */
  readonly backoffMs?: number;
}

/** Most requests at once. */
const concurrency = 8;

/**
 * Opens a judge. It posts `{objective, prompt, messages, response, reference}` and expects `{"score": NUMBER}`.
 * Returns one number per response, in order. Errors: UsageError if a variable is not set; RewardError, without address and token, if an answer
 * fails at every attempt.
 */
export function openJudge(options: JudgeOptions): (rows: readonly Scored[]) => Promise<number[]> {
  const { urlEnv, tokenEnv, env = process.env } = options;
  const url = env[urlEnv]?.trim() ?? "";
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new UsageError(
      `ppo.gold.urlEnv: the environment variable ${urlEnv} does not hold an address`,
      `Set it: export ${urlEnv}=https://...`,
    );
  const token = tokenEnv === undefined ? null : env[tokenEnv]?.trim();
  if (token === undefined || token === "")
    throw new UsageError(
      `ppo.gold.tokenEnv: the environment variable ${tokenEnv} is not set`,
      `Set it: export ${tokenEnv}=...`,
    );
  return async (rows) => {
    const scores = new Array<number>(rows.length);
    let next = 0;
    const lane = async () => {
      while (next < rows.length) {
        const i = next++;
        try {
          scores[i] = await judged(rows[i]!, { ...options, url, token });
        } catch (error) {
          next = rows.length;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, rows.length) }, lane));
    return scores;
  };
}

async function judged(row: Scored, options: JudgeOptions & { readonly url: string; readonly token: string | null }) {
  const { urlEnv, retries, backoffMs = 1_000 } = options;
  for (let attempt = 0; ; attempt++) {
    const answer = await asked(row, options);
    if (typeof answer === "number") return answer;
    if (!answer.again || attempt >= retries)
      throw new RewardError(
        `the judge of ${urlEnv} gave no score: ${answer.reason}, after ${attempt + 1} ${attempt === 0 ? "try" : "tries"}`,
        'It must answer with JSON such as {"score": 0.5} (docs/config.md, ppo.gold).',
      );
    await sleep(backoffMs * 2 ** attempt);
  }
}

async function asked(
  { prompt, messages, response, reference }: Scored,
  {
    url,
    token,
    timeoutMs,
    objective,
  }: Pick<JudgeOptions, "timeoutMs" | "objective"> & { readonly url: string; readonly token: string | null },
): Promise<number | { readonly reason: string; readonly again: boolean }> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "ballast",
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({
        objective,
        prompt,
        messages: messages.map(({ role, content }) => ({ role, content })),
        response,
        reference,
      }),
      // A different host must not receive the token.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const { status } = answer;
    if (!answer.ok) {
      void answer.body?.cancel().catch(() => {});
      return { reason: `it answered ${status}`, again: status >= 500 || [408, 425, 429].includes(status) };
    }
    const score: unknown = (JSON.parse(await answer.text()) as { score?: unknown } | null)?.score;
    if (typeof score === "number" && Number.isFinite(score)) return score;
    return { reason: "its answer has no finite number `score`", again: false };
  } catch (error) {
    if (error instanceof SyntaxError) return { reason: "its answer is not JSON", again: false };
    if ((error as Error).name === "TimeoutError") return { reason: `no answer within ${timeoutMs} ms`, again: true };
    // Messages of fetch may hold the address.
    const { cause } = error as Error;
    return {
      reason: (cause as { code?: string } | undefined)?.code ?? messageOf(error).replaceAll(url, "..."),
      again: true,
    };
  }
}
