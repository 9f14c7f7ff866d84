/** Failed requests: each has a status, one sentence and, if there is one, a remedy; never a stack. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { isTransient } from "../store/index.ts";
import type { Problem } from "../types/page.ts";
import { cut } from "../util/cut.ts";
import { BallastError, CheckpointError, StoreError, UsageError } from "../util/errors.ts";

/** A request that cannot be answered as it is. */
export class Refusal extends BallastError {
  readonly status: ContentfulStatusCode;

  constructor(status: ContentfulStatusCode, message: string, hint?: string) {
    super(message, hint);
    this.status = status;
  }
}

export function problemOf(error: unknown): { readonly status: ContentfulStatusCode; readonly problem: Problem } {
  if (!(error instanceof BallastError))
    return {
      status: 500,
      problem: { error: "the server failed on this request", hint: "Its terminal says more." },
    };
  const { message, hint } = error;
  const problem: Problem = { error: cut(message), ...(hint !== undefined && { hint: cut(hint) }) };
  return { status: statusOf(error), problem };
}

function statusOf(error: BallastError): ContentfulStatusCode {
  if (error instanceof Refusal) return error.status;
  if (error instanceof UsageError) return 400;
  // A file in the run's folder is damaged, or of a different version.
  if (error instanceof CheckpointError) return 409;
  if (error instanceof StoreError) return isTransient(error) ? 503 : 409;
  return 500;
}

export function answerProblem(c: Context, error: unknown): Response {
  const { status, problem } = problemOf(error);
  return c.json(problem, status);
}
