/** A real browser on a real workspace: shared by the tests of the page. */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Running, start } from "../e2e/ballast.ts";

const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The browser's path; undefined if there is none, in which case the tests say so and are skipped. */
export const browserPath = places.find((path) => path !== undefined && existsSync(path));
if (browserPath === undefined)
  console.warn("skipped: the page in a browser. Install Chromium (apt-get install chromium), or name one in CHROMIUM.");

export function launch(): Promise<Browser> {
  // Containers give a browser neither a sandbox nor much shared memory.
  return chromium.launch({ executablePath: browserPath!, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export interface Served {
  readonly running: Running;
  /** The origin: `http://127.0.0.1:4711`. */
  readonly origin: string;
  readonly token: string;
  stop(): Promise<void>;
}

/** Runs `ballast serve` over a workspace. */
export async function serve(cwd: string, workspace: string, port = 0): Promise<Served> {
  const running = start(cwd, "serve", "--workspace", workspace, "--port", String(port));
  const address = await until(() => /(http:\/\/127\.0\.0\.1:\d+)\/#\/\?token=(\S+)/.exec(running.output()));
  const [, origin, token] = address as unknown as [string, string, string];
  return {
    running,
    origin,
    token,
    stop: async () => {
      running.child.kill("SIGINT");
      await running.ended;
    },
  };
}

/** Collects errors of a page's console and scripts, which nobody would see otherwise. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return complaints;
}

/** Polls until there is an answer. */
export async function until<T>(
  ask: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  ms = 20_000,
): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`nothing after ${ms / 1000} s: ${ask}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
