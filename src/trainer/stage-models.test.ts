/** Fingerprints of what must not change: folders of models, and the base of an adapter that does not record it. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { saved, smallConfig } from "../../test/support/engine.ts";
import { temporaryFolder } from "../../test/support/gpt2.ts";
import { EmbeddedCore } from "../engine/embedded/core.ts";
import { checkFingerprints, fingerprints } from "./stage-models.ts";

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

it("notices that the base of another program's adapter was replaced", async () => {
  const { id } = await core.createModel({ config: smallConfig, heads: ["lm"], seed: 1 });
  const base = (await saved(core, id)).folder;
  const reference = temporaryFolder();
  const adapter = await core.loadModel(base, { adapter: { rank: 2, alpha: 4 } });
  await core.saveModel(adapter.id, reference);
  const folders = { reference };
  // Ballast's own records the hash of its base, which is compared whenever it is loaded.
  const before = await fingerprints(folders);
  expect(Object.keys(before)).toEqual(["reference"]);
  rmSync(join(reference, "ballast_adapter.json"));
  const begun = await fingerprints(folders);
  checkFingerprints(folders, { saved: begun, found: await fingerprints(folders) });
  const other = await core.createModel({ config: smallConfig, heads: ["lm"], seed: 2 });
  await core.saveModel(other.id, base);
  const now = await fingerprints(folders);
  expect(now.reference).toBe(begun.reference);
  expect(() => checkFingerprints(folders, { saved: begun, found: now })).toThrow(
    `the base of the reference in ${base} is not the one that the run began with`,
  );
  // A checkpoint of an earlier version says nothing of bases.
  checkFingerprints(folders, { saved: before, found: now });
});
