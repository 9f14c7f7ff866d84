/**
 * Reads a million rows of Parquet with Ballast and with pyarrow, in turns: CPU seconds, the ratio of their medians, and peak memory.
 *
 * BALLAST_TEST_PYTHON=python3 npx tsx bench/parquet.ts   (a Python with pyarrow)
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const rows = 1_000_000;
const rounds = 5;
const python = process.env.BALLAST_TEST_PYTHON ?? "python3";

const make = `
import random, sys
import pyarrow as pa, pyarrow.parquet as pq
random.seed(1)
words = "the of and to in is you that it he was for on are as with his they at be this have from or one had by word".split()
pool = [" ".join(random.choice(words) for _ in range(40)) for _ in range(20000)]
column = lambda: [f"{i} {random.choice(pool)}" for i in range(${rows})]
pq.write_table(pa.table({"prompt": column(), "completion": column()}), sys.argv[1])
`;
const read = `
import resource, sys, time
import pyarrow.parquet as pq
start = time.process_time()
rows = 0
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(batch_size=1024):
    if sys.argv[2] == "columns":
        rows += batch.num_rows
    else:
        for row in batch.to_pylist():
            rows += 1
print(rows, time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
`;
const own = `
import { rowsOfFiles } from ${JSON.stringify(join(import.meta.dirname, "../src/data/read-file.ts"))};
const start = process.cpuUsage();
let rows = 0;
for (const row of rowsOfFiles(process.argv[2]!)) if (row.read().value.prompt) rows++;
const { user, system } = process.cpuUsage(start);
console.log(rows, (user + system) / 1e6, process.resourceUsage().maxRSS / 1024);
`;

interface Round {
  readonly seconds: number;
  readonly megabytes: number;
}

function measure(command: string, args: readonly string[]): Round {
  const [found, seconds, megabytes] = execFileSync(command, args, { encoding: "utf8" }).trim().split(" ").map(Number);
  if (found !== rows) throw new Error(`${command} read ${found} rows of ${rows}`);
  return { seconds: seconds!, megabytes: megabytes! };
}

const folder = mkdtempSync(join(tmpdir(), "ballast-bench-parquet-"));
try {
  const file = join(folder, "rows.parquet");
  const script = join(folder, "read.ts");
  execFileSync(python, ["-c", make, file]);
  writeFileSync(script, own);
  const tsx = join(import.meta.dirname, "../node_modules/.bin/tsx");
  if (!existsSync(tsx)) throw new Error("npm install first");
  const readers: Readonly<Record<string, () => Round>> = {
    "Ballast, rows": () => measure(tsx, [script, file]),
    "pyarrow, rows (iter_batches, to_pylist)": () => measure(python, ["-c", read, file, "rows"]),
    "pyarrow, columns only (iter_batches)": () => measure(python, ["-c", read, file, "columns"]),
  };
  const taken = Object.fromEntries(Object.keys(readers).map((name) => [name, [] as Round[]]));
  for (let round = 0; round < rounds; round++)
    for (const [name, once] of Object.entries(readers)) taken[name]!.push(once());
  const median = (list: readonly number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
  const ballast = median(taken["Ballast, rows"]!.map(({ seconds }) => seconds));
  for (const [name, list] of Object.entries(taken)) {
    const seconds = median(list.map((round) => round.seconds));
    const megabytes = Math.max(...list.map((round) => round.megabytes));
    const share = `Ballast at ${(seconds / ballast).toFixed(2)} of its speed`;
    console.log(
      `${name}: ${seconds.toFixed(2)} CPU s, ${megabytes.toFixed(0)} MB at most${name.startsWith("pyarrow") ? `; ${share}` : ""}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
