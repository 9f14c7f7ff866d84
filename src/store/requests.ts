/** Requests that change something, each done once: its key and answer are written together with the change. */
import { StoreError } from "../util/errors.ts";
import type { Connection } from "./connection.ts";
import { insertRow } from "./writerows.ts";

export interface Answered {
  readonly status: number;
  readonly body: string;
}

export function createRequests(connection: Connection, now: () => number) {
  return {
    /**
     * Performs a request once: the same key gets the same answer again, in any process and after a restart. What `perform` writes through this
     * store and the record of the key are one transaction; if it throws, neither is written, and the key stays free.
     *
     * @param hash of method, path and body: a key stands for one request.
     * @throws StoreError if the key was used for a different request.
     */
    once(key: string, hash: string, perform: () => Answered): Answered & { readonly repeated: boolean } {
      connection.checkWritable();
      const at = now();
      return connection.write(() => {
        const known = connection.get<Answered & { hash: string }>(
          "SELECT hash, status, body FROM requests WHERE key = ?",
          [key],
        );
        if (known !== undefined) {
          const { hash: before, status, body } = known;
          if (before === hash) return { status, body, repeated: true };
          throw new StoreError(
            `the idempotency key ${key} was used for a different request`,
            "Send a new key with every new request, and the same one again only to repeat a request.",
          );
        }
        const { status, body } = perform();
        insertRow(connection, "requests", { key, hash, status, body, at });
        return { status, body, repeated: false };
      });
    },
  };
}
