/** Requests that change something, each done once: its key and answer are written together with the change. */
import { StoreError } from "../util/errors.ts";
import type { Connection } from "./connection.ts";
import { insert } from "./writerows.ts";

export interface Answered {
  readonly status: number;
  readonly body: string;
}

export interface OnceOptions {
  /** The key, new for each request that is not a repetition. */
  readonly key: string;
  /** Hash of method, path and body: a key stands for one request. */
  readonly hash: string;
  readonly now: number;
  /** Performs the request. If it throws, nothing is changed and the key stays free. */
  readonly perform: () => Answered;
}

/**
 * Performs a request once.
 * @throws StoreError if the key was used for a different request.
 */
export function performOnce(
  connection: Connection,
  { key, hash, now, perform }: OnceOptions,
): Answered & { readonly repeated: boolean } {
  return connection.write(() => {
    const known = connection.get<Answered & { hash: string }>("SELECT hash, status, body FROM requests WHERE key = ?", [
      key,
    ]);
    if (known !== undefined) {
      const { hash: before, status, body } = known;
      if (before === hash) return { status, body, repeated: true };
      throw new StoreError(
        `the idempotency key ${key} was used for a different request`,
        "Send a new key with every new request, and the same one again only to repeat a request.",
      );
    }
    const { status, body } = perform();
    const { sql, parameters } = insert("requests", { key, hash, status, body, at: now });
    connection.run(sql, parameters);
    return { status, body, repeated: false };
  });
}
