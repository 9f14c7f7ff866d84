/** A workspace on disk with one PPO run as the program would have left it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema, recordedConfig } from "../../src/config/index.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { closedAfterwards, temporaryFolder } from "./store.ts";

export const objective = "when a request is unclear, prefer a question over a guess";

export interface TestRun {
  readonly workspace: string;
  readonly folder: string;
  readonly store: Store;
}

/** Makes the run `<id>` with checkpoints at the given iterations, and a store whose clock stands still at `now`. */
export function workspaceWithRun({
  id = "tiny-1",
  checkpoints = [],
  now = () => Date.now(),
  ppo = {},
  control = {},
  engine = {},
  model = {},
}: {
  id?: string;
  checkpoints?: readonly number[];
  now?: () => number;
  ppo?: object;
  control?: object;
  engine?: object;
  model?: object;
} = {}): TestRun {
  const workspace = temporaryFolder();
  const folder = join(workspace, id);
  for (const step of checkpoints)
    mkdirSync(join(folder, "ppo", `checkpoint-${String(step).padStart(6, "0")}`), { recursive: true });
  mkdirSync(folder, { recursive: true });
  const config = configSchema.parse({
    objective,
    ppo: { policy: "/none", prompts: { path: "/none.jsonl" }, ...ppo },
    control,
    engine,
    model,
  });
  writeFileSync(join(folder, "config.json"), recordedConfig(config, folder));
  const store = closedAfterwards(openStore(join(workspace, "ballast.db"), { now }));
  const machine = JSON.stringify({ cpu: "none", threads: 1, versions: {} });
  store.createRun({ id, objective, seed: 1, folder, config: JSON.stringify(config), machine, createdAt: now() });
  return { workspace, folder, store };
}
