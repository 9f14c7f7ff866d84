/** A run as one HTML file: the page with its script and style inside, and the answers that it would request from a server. */
import { createHash } from "node:crypto";
import type { Hono } from "hono";
import type { BehaviourAnswer, ControlAnswer, RunAnswer, SampleIterationsAnswer, SeriesAnswer } from "../types/page.ts";
import { contentSecurityPolicy } from "./headers.ts";
import { Refusal } from "./problem.ts";
import type { WebFiles } from "./web.ts";

export interface StaticPageOptions {
  /** The app of a workspace that has the run. */
  readonly app: Hono;
  readonly run: string;
  readonly web: WebFiles;
}

/** Most iterations with samples, the newest ones; those of incidents are included in addition. */
const mostSampled = 50;

/** Buckets of a chart, and keys requested at a time. */
const points = 600;
const keysAtOnce = 100;

/**
 * The whole document.
 * @throws Refusal if the workspace has no such run.
 */
export async function staticPage({ app, run, web }: StaticPageOptions): Promise<string> {
  const answers = await answersOf(app, run);
  const script = harmlessScript(web["app.js"].body.toString("utf8"));
  const style = web["app.css"].body.toString("utf8").replace(/<(?=\/style)/gi, "\\3c ");
  const policy = contentSecurityPolicy({ script: hashOf(script), style: hashOf(style), connect: "'none'" });
  const head = [
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<style>${style}</style>`,
    `<script type="module">${script}</script>`,
  ].join("\n");
  const data = `<script type="application/json" id="ballast-data">${dataText(answers)}</script>`;
  return web["index.html"].body
    .toString("utf8")
    .replace(/\s*<script\b[^>]*\bsrc=[^>]*><\/script>/g, "")
    .replace(/\s*<link\b[^>]*\brel="stylesheet"[^>]*>/g, "")
    .replace(/<title>[^<]*<\/title>/, () => `<title>${htmlText(`${run} · Ballast`)}</title>`)
    .replace("<head>", () => `<head>\n${head}`)
    .replace("</body>", () => `${data}\n</body>`);
}

/** The answers by the address at which the page requests them, as `answerKey` in web/src/api.ts makes it. */
async function answersOf(app: Hono, run: string): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {};
  const ask = async <Answer>(path: string): Promise<Answer> => {
    const response = await app.request(`http://localhost${path}`, { headers: { host: "localhost" } });
    const answer = (await response.json()) as Answer & { readonly error?: string; readonly hint?: string };
    if (!response.ok)
      throw new Refusal(response.status as Refusal["status"], answer.error ?? `no answer at ${path}`, answer.hint);
    return answer;
  };
  /** Answers that a run cannot give are absent. */
  const keep = async <Answer>(path: string): Promise<Answer | null> => {
    const answer = await ask<Answer>(path).catch((error: Refusal) => error);
    if (answer instanceof Error) {
      if (answer.status >= 500) throw answer;
      return null;
    }
    answers[path] = answer;
    return answer;
  };
  const base = `/api/runs/${encodeURIComponent(run)}`;
  const whole = await ask<RunAnswer>(base);
  answers[base] = whole;
  answers["/api/runs"] = { runs: [whole.run] };
  for (const query of ["before=newest", "before=newest&notes=0"])
    answers[`${base}/events?${query}`] = await ask(`${base}/events?${query}&limit=2000`);
  for (const { stage } of whole.stages) {
    const keys = whole.keys.filter((name) => name.stage === stage).map(({ key }) => key);
    const parts: SeriesAnswer[] = [];
    for (let i = 0; i < keys.length; i += keysAtOnce) {
      const some = new URLSearchParams(keys.slice(i, i + keysAtOnce).map((key): [string, string] => ["key", key]));
      parts.push(await ask<SeriesAnswer>(`${base}/series?stage=${stage}&points=${points}&${some}`));
    }
    const series = Object.assign({}, ...parts.map((part) => part.series));
    answers[`${base}/series?stage=${stage}`] = { stage, series, cursor: whole.cursor.metrics };
  }
  for (const path of ["/settings", "/diagnosis"]) await keep(base + path);
  const behaviour = await keep<BehaviourAnswer>(`${base}/behaviour`);
  const [first, last] = [behaviour?.points[0], behaviour?.points.at(-1)];
  if (first && last) {
    const { iteration: b } = last;
    for (const a of ["reference", first.iteration]) await keep(`${base}/behaviour/answers?a=${a}&b=${b}`);
    for (const own of new Set([0, first.iteration]))
      if (own !== b) await keep(`${base}/behaviour/answers?a=reference&b=${own}`);
  }
  const control = await keep<ControlAnswer>(`${base}/control`);
  const sampled = await keep<SampleIterationsAnswer>(`${base}/samples/iterations?stage=ppo`);
  if (sampled !== null) {
    const incidents = (control?.incidents ?? []).map(({ iteration }) => iteration);
    const kept = sampled.iterations.filter(
      (iteration, i, all) => i >= all.length - mostSampled || incidents.includes(iteration),
    );
    answers[`${base}/samples/iterations?stage=ppo`] = { iterations: kept };
    for (const iteration of kept) await keep(`${base}/samples?iteration=${iteration}&stage=ppo`);
  }
  return answers;
}

/** JSON that stays inside its element and on its line, whatever a model wrote. */
export function dataText(answers: unknown): string {
  return JSON.stringify(answers).replace(
    /[<>&\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Escapes words at which a script in a document would end or change its meaning; in JavaScript texts the escape means the same. */
function harmlessScript(script: string): string {
  return script.replace(/<(?=\/script|script|!--)/gi, "\\x3c");
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
