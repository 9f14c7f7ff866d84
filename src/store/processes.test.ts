import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { closedAfterwards, runRecord, temporaryFolder } from "../../test/support/store.ts";
import { random } from "../util/random.ts";
import { openStore, type Store } from "./index.ts";

const keys = 40;

/** Starts test/support/store-writer.ts and waits for its first commit. */
async function startWriter(path: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("../../test/support/store-writer.ts", import.meta.url));
  const writer = spawn(process.execPath, ["--import", "tsx", script, path, "a"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    writer.kill("SIGKILL");
  });
  await once(writer.stdout!, "data");
  return writer;
}

async function kill(writer: ChildProcess): Promise<void> {
  const exit = once(writer, "exit");
  writer.kill("SIGKILL");
  await exit;
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Checks that every iteration with any rows has all of them, superseded ones too; returns the current iterations. */
function expectWholeIterations(store: Store): number {
  const tally = new Map<string, number>();
  const count = (name: string, rows: readonly { attempt: number; iteration: number }[], values: readonly number[]) => {
    for (const [i, { attempt, iteration }] of rows.entries()) {
      if (values[i] !== 1000 * attempt + iteration) throw new Error(`${name} ${attempt} ${iteration}: ${values[i]}`);
      const place = `${attempt}/${iteration} ${name}`;
      tally.set(place, (tally.get(place) ?? 0) + 1);
    }
  };
  store.snapshot(() => {
    const limit = 1e9;
    const metrics = store.metrics("a", { limit }).rows;
    count(
      "metrics",
      metrics,
      metrics.map((row) => row.value),
    );
    const events = store.events("a", { limit }).rows;
    count(
      "events",
      events,
      events.map((row) => row.data!.value as number),
    );
    const settings = store.settings("a", { limit }).rows;
    count(
      "settings",
      settings,
      settings.map((row) => row.value as number),
    );
    const samples = store.sampleFeed("a", { limit }).rows;
    count(
      "samples",
      samples,
      samples.map((row) => row.advantages[299]!),
    );
  });
  const places = new Set([...tally.keys()].map((key) => key.split(" ")[0]));
  expect(tally.size).toBe(4 * places.size);
  const expected: Record<string, number> = { metrics: keys, events: 3, settings: 1, samples: 2 };
  for (const [key, n] of tally) expect(n, key).toBe(expected[key.split(" ")[1]!]);

  const { points } = store.series("a", "ppo", "metric/7", { maxPoints: Infinity });
  expect(points.map((point) => point.from)).toEqual(points.map((_, i) => i));
  expect(points.map((point) => point.last)).toEqual(
    store
      .metrics("a", { limit: 1e9, current: true })
      .rows.filter((row) => row.key === "metric/7")
      .map((row) => row.value),
  );
  return points.length;
}

describe("another process", () => {
  it("killed in mid-write leaves whole iterations, and the next attempt goes on", { timeout: 120_000 }, async () => {
    const path = join(temporaryFolder(), "ballast.db");
    const store = closedAfterwards(openStore(path));
    store.createRun(runRecord("a"));
    const random_ = random(1, "kill");
    for (let n = 1; n <= 5; n++) {
      const writer = await startWriter(path);
      await sleep(200 * random_.uniform());
      await kill(writer);
      const iterations = expectWholeIterations(store);
      expect(iterations).toBeGreaterThan(0);
      expect(store.run("a")).toMatchObject({ attempt: n, position: { iteration: iterations - 1 } });
    }
  });

  it("is read live, row by row and never in part", { timeout: 60_000 }, async () => {
    const path = join(temporaryFolder(), "ballast.db");
    const owner = openStore(path);
    owner.createRun(runRecord("a"));
    owner.close();
    const writer = await startWriter(path);
    const reader = closedAfterwards(openStore(path, { readonly: true }));
    let cursor = 0;
    let rows = 0;
    let growth = 0;
    let version = reader.dataVersion();
    for (let poll = 0; poll < 30; poll++) {
      await sleep(20);
      // Read before the rows: what is committed in between shows in the next poll.
      const before = reader.dataVersion();
      const feed = reader.metrics("a", { after: cursor, limit: 1e6 });
      expect(feed.rows.length % keys).toBe(0);
      expect(feed.rows.map((row) => row.seq)).toEqual(feed.rows.map((_, i) => cursor + i + 1));
      if (feed.rows.length > 0) growth++;
      cursor = feed.cursor;
      rows += feed.rows.length;
      if (feed.rows.length > 0) expect(reader.dataVersion()).not.toBe(version);
      version = before;
      expect(reader.run("a")!.state).toBe("running");
    }
    expect(growth).toBeGreaterThan(10);
    expect(cursor).toBe(rows);
    const id = openAndCommand(path);
    expect(reader.commands("a").map((command) => command.id)).toEqual([id]);
    await kill(writer);
    expectWholeIterations(reader);
  });

  it("may open the same new workspace at the same moment", { timeout: 60_000 }, async () => {
    const path = join(temporaryFolder(), "ballast.db");
    const module = fileURLToPath(new URL("./index.ts", import.meta.url));
    const code = `import { openStore } from ${JSON.stringify(module)};
      const store = openStore(${JSON.stringify(path)});
      store.createRun({ id: String(process.pid), objective: "", seed: 1, folder: "", config: "{}", machine: "{}", createdAt: 1 });
      store.close();`;
    const starts = Array.from({ length: 4 }, () =>
      once(
        spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], { stdio: "inherit" }),
        "exit",
      ),
    );
    expect((await Promise.all(starts)).map(([exitCode]) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(closedAfterwards(openStore(path)).runs()).toHaveLength(4);
  });
});

/** Gives a command as the dashboard's process would, while the trainer writes. */
function openAndCommand(path: string): number {
  const store = openStore(path);
  try {
    return store.addCommand("a", { kind: "pause" });
  } finally {
    store.close();
  }
}

it("a reader that finds a database in the making waits for it", { timeout: 60_000 }, async () => {
  const folder = temporaryFolder();
  const databases = Array.from({ length: 40 }, (_, i) => join(folder, `${i}.db`));
  const code = `
    import { existsSync } from "node:fs";
    import { openStore } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    process.stdout.write("ready");
    for (const path of ${JSON.stringify(databases)}) {
      while (!existsSync(path));
      openStore(path, { readonly: true }).close();
    }`;
  const reader = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    reader.kill("SIGKILL");
  });
  let stderr = "";
  reader.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = once(reader, "exit");
  await once(reader.stdout, "data");
  for (const path of databases) openStore(path).close();
  await ended;
  expect(stderr).toBe("");
});

it("a new database that another process holds is waited for", { timeout: 60_000 }, async () => {
  const path = join(temporaryFolder(), "ballast.db");
  const code = `
    import Database from "libsql";
    const database = new Database(${JSON.stringify(path)});
    database.exec("BEGIN IMMEDIATE");
    process.stdout.write("held");
    setTimeout(() => database.exec("ROLLBACK"), 300);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    holder.kill("SIGKILL");
  });
  await once(holder.stdout, "data");
  expect(closedAfterwards(openStore(path)).runs()).toEqual([]);
});
