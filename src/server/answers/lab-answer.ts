/** GET /api/lab: experiments whose tables are in the workspace. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import { z } from "zod";
import type { LabAnswer } from "../../types/page.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

/** An experiment as `ballast lab` leaves it in `<workspace>/lab/`; a laboratory may itself be served as a workspace. */
const experimentSchema = z.object({
  title: z.string(),
  at: z.number(),
  notes: z.array(z.string()),
  tables: z.array(
    z.object({
      ...{ title: z.string(), columns: z.array(z.string()), rows: z.array(z.array(z.string())) },
      picture: z.enum(["apart", "none"]).optional(),
    }),
  ),
  runs: z.array(z.string()),
});

/** Largest table, in bytes. */
const largest = 4 << 20;

export function labRoutes({ workspace, store }: Context): Hono {
  return new Hono().get("/lab", (c) => {
    const known = new Set(store.runs().map(({ id }) => id));
    const experiments = [join(workspace, "lab"), workspace].flatMap((folder) => experimentsIn(folder));
    const own = experiments.map((one) => ({ ...one, runs: one.runs.filter((run) => known.has(run)) }));
    return reply(c, { experiments: own.sort((a, b) => b.at - a.at) } satisfies LabAnswer);
  });
}

function experimentsIn(folder: string): LabAnswer["experiments"] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .flatMap(({ name }) => {
      const path = join(folder, name);
      if (statSync(path).size > largest) return [];
      const parsed = experimentSchema.safeParse(jsonOf(path));
      return parsed.success ? [{ id: name.slice(0, -".json".length), ...parsed.data }] : [];
    });
}

function jsonOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // Half written, or not a table.
    return null;
  }
}
