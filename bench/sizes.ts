/**
 * `npm run bench:sizes -- FILE.svg [--sizes 1M,4M,13M] [--contenders "embedded,torch fp32,torch bf16,TRL"] [--iterations 2] [--threads 1]`: answer tokens that
 * a PPO iteration samples and trains on, all weights, in a second of processor time, against the size of a Llama. Draws one SVG, both axes logarithmic.
 * `contenders.ts` says what Python it needs; the iterations are of 8 sequences of 16 + 48 tokens, 4 epochs of 4 minibatches.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parameterSpecs } from "../src/models/family.ts";
import { type Contender, measure, missing } from "./contenders.ts";
import { type BenchShape, modelOf, shapes } from "./shapes.ts";

/** From two layers to Qwen2.5-0.5B's sizes. */
const sizes: Readonly<Record<string, Partial<BenchShape>>> = {
  "1M": { layers: 2, width: 128, heads: 2, kvHeads: 1, innerWidth: 352, vocabulary: 4096 },
  "4M": { layers: 4, width: 256, heads: 4, kvHeads: 2, innerWidth: 688, vocabulary: 4096 },
  "13M": { layers: 6, width: 384, heads: 6, kvHeads: 2, innerWidth: 1024, vocabulary: 8192 },
  "38M": { layers: 8, width: 576, heads: 9, kvHeads: 3, innerWidth: 1536, vocabulary: 16_384 },
  "135M": {},
  "362M": { layers: 32, width: 960, heads: 15, kvHeads: 5, innerWidth: 2560 },
  "494M": { layers: 24, width: 896, heads: 14, kvHeads: 2, innerWidth: 4864, vocabulary: 151_936 },
};
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: "string", default: "1M,4M,13M,38M" },
    contenders: { type: "string", default: "embedded,torch fp32,torch bf16,TRL" },
    iterations: { type: "string", default: "2" },
    threads: { type: "string", default: "1" },
  },
});
const [file] = positionals;
if (file === undefined) throw new Error("usage: npm run bench:sizes -- FILE.svg");
const wanted = options.sizes.split(",");
for (const size of wanted)
  if (!Object.hasOwn(sizes, size))
    throw new Error(`there is no size ${size}; there are ${Object.keys(sizes).join(", ")}`);
const present = (options.contenders.split(",") as Contender[]).filter((contender) => {
  const lacking = missing(contender);
  if (lacking !== null) console.error(lacking);
  return lacking === null;
});

interface Point {
  readonly parameters: number;
  readonly rate: number;
}
const lines = new Map<Contender, Point[]>(present.map((contender) => [contender, []]));
for (const size of wanted) {
  const shape = { ...shapes.llamaFull, ...sizes[size], iterations: Number(options.iterations) };
  const parameters = parameterSpecs(modelOf(shape), ["lm"]).reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );
  for (const contender of present) {
    const { cpuSeconds } = measure(contender, shape, Number(options.threads));
    const rate = (shape.sequences * shape.response) / cpuSeconds;
    lines.get(contender)!.push({ parameters, rate });
    console.log(`${size} ${contender}: ${rate.toPrecision(3)} tokens a second`);
  }
}

const [wide, high, margin] = [640, 400, 56];
const points = [...lines.values()].flat();
/** From the power of ten below the smallest to the one above the largest. */
const powers = (values: readonly number[]) =>
  [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))] as const;
const [left, right] = powers(points.map(({ parameters }) => parameters));
const [bottom, top] = powers(points.map(({ rate }) => rate));
const x = (parameters: number) => margin + ((Math.log10(parameters) - left) / (right - left)) * (wide - 3 * margin);
const y = (rate: number) => high - margin - ((Math.log10(rate) - bottom) / (top - bottom)) * (high - 2 * margin);
const colours = ["#0072b2", "#d55e00", "#009e73", "#666666", "#cc79a7", "#e69f00"];
const ticks = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
const ends = [...lines.values()].map((of) => y(of.at(-1)!.rate));
/** Names beside the lines' ends, from the top, none over another. */
const nameAt: number[] = [];
let lowest = 0;
for (const i of ends.map((_, i) => i).sort((a, b) => ends[a]! - ends[b]!)) {
  nameAt[i] = Math.max(ends[i]!, lowest + 13);
  lowest = nameAt[i];
}
const drawn = [...lines].map(([contender, of], i) => {
  const at = of.map(({ parameters, rate }) => [x(parameters).toFixed(1), y(rate).toFixed(1)] as const);
  return `<g stroke="${colours[i]}" fill="${colours[i]}">
<polyline points="${at.map((pair) => pair.join()).join(" ")}" fill="none"/>
${at.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3"/>`).join("")}
<text x="${Number(at.at(-1)![0]) + 8}" y="${nameAt[i]! + 4}" stroke="none">${contender}</text>
</g>`;
});
writeFileSync(
  file,
  `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" font-family="sans-serif" font-size="11">
<title>Answer tokens a second of processor time against the size of the model</title>
<rect width="100%" height="100%" fill="white"/>
<text x="${margin}" y="24" font-weight="bold">answer tokens a second of processor time, a whole PPO iteration, all weights</text>
<polyline points="${margin},${margin} ${margin},${high - margin} ${wide - 2 * margin},${high - margin}" fill="none" stroke="gray"/>
${ticks(left, right)
  .map((value) => `<text x="${x(value)}" y="${high - margin + 16}" text-anchor="middle">${value / 1e6}M</text>`)
  .join("\n")}
${ticks(bottom, top)
  .map((value) => `<text x="${margin - 6}" y="${y(value) + 4}" text-anchor="end">${value}</text>`)
  .join("\n")}
${drawn.join("\n")}
<text x="${wide - margin}" y="${high - 12}" text-anchor="end">parameters; ${options.threads} thread${options.threads === "1" ? "" : "s"}</text>
</svg>
`,
);
