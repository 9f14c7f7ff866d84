/**
 * `npm run bench:plot -- FILE.svg [--repeats 5]`: the cost of a training pass and of sampling against the length of the sequences and the size of the
 * vocabulary, on one thread in CPU seconds, with the straight line through the first and last point. Draws one SVG.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { EmbeddedCore } from "../src/engine/embedded/core.ts";
import type { ModelConfig } from "../src/engine/engine.ts";
import { median } from "./measure.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { repeats: { type: "string", default: "5" } },
});
const [file] = positionals;
if (file === undefined) throw new Error("usage: npm run bench:plot -- FILE.svg");
const repeats = Number(options.repeats);
const core = new EmbeddedCore({ threads: 1 });

/** Small, so that the part that grows is seen. */
const base: ModelConfig = {
  ...{ family: "gpt2", vocabularySize: 512, context: 1024, width: 128, layers: 2, heads: 2, tieEmbeddings: true },
};
const rows = 4;

interface Point {
  readonly x: number;
  readonly milliseconds: number;
}

/** CPU milliseconds of each case, the median of `repeats` rounds over all cases. */
async function measured(
  cases: readonly { readonly x: number; readonly run: () => Promise<unknown> }[],
): Promise<Point[]> {
  const times: number[][] = cases.map(() => []);
  for (let round = 0; round <= repeats; round++)
    for (const [i, { run }] of cases.entries()) {
      const before = process.cpuUsage();
      await run();
      const { user, system } = process.cpuUsage(before);
      // The first round compiles.
      if (round > 0) (times[i] as number[]).push((user + system) / 1000);
    }
  return cases.map(({ x }, i) => ({ x, milliseconds: median(times[i] as number[]) }));
}

async function cost(xs: readonly number[], of: (x: number) => { config: ModelConfig; length: number }) {
  const models = await Promise.all(
    xs.map(async (x) => ({
      x,
      ...of(x),
      id: (await core.createModel({ config: of(x).config, heads: ["lm"], seed: 1 })).id,
    })),
  );
  const tokens = (length: number) =>
    Array.from({ length: rows }, (_, b) => Array.from({ length }, (_, t) => (7 * t + b) % 500));
  const training = models.map(({ x, id, length }) => ({
    x,
    run: () => {
      const sequences = tokens(length).map((ids) => ({ tokens: ids, start: 1 }));
      const weights = sequences.map(() => new Array<number>(length - 1).fill(1));
      return core.forwardBackward(id, { name: "cross_entropy", sequences, weights });
    },
  }));
  const sampling = models.map(({ x, id, length }) => ({
    x,
    run: () =>
      core.sample(id, {
        ...{ prompts: tokens(8), maxNewTokens: length - 8, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 },
      }),
  }));
  const result = { training: await measured(training), sampling: await measured(sampling) };
  for (const { id } of models) await core.disposeModel(id);
  return result;
}

const byLength = await cost([64, 128, 256, 384, 512, 768], (length) => ({ config: base, length }));
const byVocabulary = await cost([1_000, 8_000, 16_000, 32_000, 48_000, 64_000], (vocabularySize) => ({
  config: { ...base, vocabularySize },
  length: 64,
}));
await core.close();

const panels = [
  { title: "a training pass, by tokens of 4 sequences", points: byLength.training },
  { title: "sampling 4 rows, by tokens", points: byLength.sampling },
  { title: "a training pass of 4 x 64, by vocabulary", points: byVocabulary.training },
  { title: "sampling 4 x 64, by vocabulary", points: byVocabulary.sampling },
];
for (const { title, points } of panels)
  console.log(`${title}: ${points.map(({ x, milliseconds }) => `${x} ${milliseconds.toFixed(0)} ms`).join(", ")}`);

const [wide, high, margin] = [420, 260, 48];

function panel({ title, points }: (typeof panels)[number], index: number): string {
  const mostX = Math.max(...points.map(({ x }) => x));
  const mostY = Math.max(...points.map(({ milliseconds }) => milliseconds));
  const at = ({ x, milliseconds }: Point) =>
    `${(margin + (x / mostX) * (wide - 2 * margin)).toFixed(1)},${(high - margin - (milliseconds / mostY) * (high - 2 * margin)).toFixed(1)}`;
  const line = points.map(at).join(" ");
  const [first, last] = [points[0] as Point, points.at(-1) as Point];
  const marks = points.map((point) => {
    const [cx, cy] = at(point).split(",");
    return `<circle cx="${cx}" cy="${cy}" r="3"/>`;
  });
  const labels = points.map((point) => {
    const [x] = at(point).split(",");
    return `<text x="${x}" y="${high - margin + 16}" text-anchor="middle">${point.x}</text>`;
  });
  return `<g transform="translate(${(index % 2) * wide},${Math.floor(index / 2) * high})">
<text x="${margin}" y="24" font-weight="bold">${title}</text>
<text x="${margin - 6}" y="${margin + 4}" text-anchor="end">${mostY.toFixed(0)}</text>
<text x="${margin - 6}" y="${high - margin + 4}" text-anchor="end">0</text>
<polyline points="${margin},${margin} ${margin},${high - margin} ${wide - margin},${high - margin}" fill="none" stroke="gray"/>
<polyline points="${at(first)} ${at(last)}" fill="none" stroke="gray" stroke-dasharray="4 4"/>
<polyline points="${line}" fill="none" stroke="black"/>
${marks.join("")}
${labels.join("")}
</g>`;
}

writeFileSync(
  file,
  `<svg xmlns="http://www.w3.org/2000/svg" width="${2 * wide}" height="${2 * high}" font-family="sans-serif" font-size="11">
<title>Cost of a training pass and of sampling against length and vocabulary</title>
<rect width="100%" height="100%" fill="white"/>
${panels.map(panel).join("\n")}
<text x="${2 * wide - 12}" y="${2 * high - 8}" text-anchor="end">CPU milliseconds, one thread; dashed: straight line from the first to the last point</text>
</svg>
`,
);
