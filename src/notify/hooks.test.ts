import { expect, it } from "vitest";
import { controlSchema } from "../config/index.ts";
import { hooksOf } from "./hooks.ts";

const entries = (...notify: object[]) => controlSchema.parse({ notify }).notify;

it("takes addresses and tokens from the environment", () => {
  const env = { A_URL: " https://example.com/x ", A_TOKEN: "t0ken" };
  expect(hooksOf(entries({ urlEnv: "A_URL", tokenEnv: "A_TOKEN" }), env)).toEqual([
    {
      ...{ name: "A_URL", kind: "json", url: "https://example.com/x", token: "t0ken" },
      ...{ tiers: [1], samples: false, timeoutMs: 5000, retries: 3 },
    },
  ]);
  expect(hooksOf(entries({ urlEnv: "A_URL", kind: "slack", tiers: [2, 3], samples: true }), env)).toMatchObject([
    { kind: "slack", token: null, tiers: [2, 3], samples: true },
  ]);
});

it.each([
  [{}, "control.notify.0.urlEnv: the environment variable A_URL is not set"],
  [{ A_URL: " " }, "the environment variable A_URL is not set"],
  [{ A_URL: "example.com/SECRET" }, "A_URL does not hold a webhook"],
  [{ A_URL: "https://user:SECRET@example.com" }, "A_URL does not hold a webhook"],
  [{ A_URL: "file:///SECRET" }, "A_URL does not hold a webhook"],
  [{ A_URL: "https://x.org/SECRET" }, "control.notify.0.tokenEnv: the environment variable A_TOKEN is not set"],
  [{ A_URL: "https://x.org/SECRET", A_TOKEN: "SECRET\nX: y" }, "A_TOKEN does not hold a token"],
])("says what is missing in %j without showing it", (env, message) => {
  const failure = (() => {
    try {
      return hooksOf(entries({ urlEnv: "A_URL", tokenEnv: "A_TOKEN" }), env);
    } catch (error) {
      return error as Error & { hint?: string };
    }
  })() as Error & { hint?: string };
  expect(failure.message).toContain(message);
  expect(failure.message + failure.hint).not.toContain("SECRET");
});

it("an address in the file is refused", () => {
  expect(() => entries({ urlEnv: "https://hooks.example.com/x" })).toThrow("the name of an environment variable");
});
