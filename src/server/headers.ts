/** Headers of every answer: run only our own script, load nothing else, and tell nobody this address. */
import type { MiddlewareHandler } from "hono";

/** The policy. `script` and `style` are sources besides this server's files, such as the hashes of inline ones. */
export function contentSecurityPolicy({
  script = "'self'",
  style = "'self'",
  connect = "'self'",
}: {
  readonly script?: string;
  readonly style?: string;
  readonly connect?: string;
} = {}): string {
  return [
    "default-src 'none'",
    `script-src ${script}`,
    `style-src ${style}`,
    `connect-src ${connect}`,
    "img-src 'self' data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "object-src 'none'",
    "worker-src 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
}

const headers: Readonly<Record<string, string>> = {
  // Only a header, not the document itself, can restrict who may frame it.
  "content-security-policy": `${contentSecurityPolicy()}; frame-ancestors 'none'`,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  if (c.res.headers.get("cache-control") === null) c.header("cache-control", "no-store");
};
