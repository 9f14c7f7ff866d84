/** The page's playground over a real engine: an answer, models that are gone or elsewhere, and the release of the engine. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../../../../test/support/store.ts";
import { tinyModel } from "../../../../test/support/tiny-model.ts";
import type { Playground, ReplyLine, ReplyRequest } from "../../../types/playground-page.ts";
import { createPlayground } from "./playground.ts";

async function asked(playground: Playground, request: ReplyRequest): Promise<ReplyLine[]> {
  const lines: ReplyLine[] = [];
  await playground.reply(request, (line) => lines.push(line), new AbortController().signal);
  return lines;
}

it("answers with a model of the workspace, reuses it, and releases the engine when idle", async () => {
  const workspace = temporaryFolder();
  const model = join(workspace, "tiny");
  await tinyModel(model, { context: 48 });
  const playground = createPlayground({ workspace, threads: 1, idleMs: 200 });
  onTestFinished(() => playground.close());
  expect(playground.offers()).toMatchObject({ models: [{ run: null, stage: null, step: null }], loaded: [] });
  const request: ReplyRequest = {
    ...{ model, messages: [{ role: "user", content: "say hello" }], temperature: 0, maxTokens: 4, seed: 1 },
  };
  const first = await asked(playground, request);
  expect(first[0]).toEqual({ kind: "note", says: "loading the model" });
  expect(first.at(-1)).toMatchObject({ kind: "done" });
  expect(playground.offers().loaded).toEqual([model]);
  const again = await asked(playground, request);
  expect(again.some(({ kind }) => kind === "note")).toBe(false);
  expect(again.at(-1)).toMatchObject({ kind: "done", text: (first.at(-1) as { readonly text: string }).text });

  const [gone] = (await asked(playground, { ...request, model: join(workspace, "gone") })).slice(-1);
  expect(gone).toMatchObject({ kind: "problem", error: expect.stringContaining("there is no model in") });
  const [elsewhere] = await asked(playground, { ...request, model: join(workspace, "..", "other") });
  expect(elsewhere).toMatchObject({ kind: "problem", error: expect.stringContaining("in the workspace") });

  const others = ["second", "third"].map((name) => join(workspace, name));
  for (const other of others) cpSync(model, other, { recursive: true });
  // The first two are loaded before they answer; the third would take the place of one of them.
  const three = [...others, model].map((one) => asked(playground, { ...request, model: one }));
  const threeEnds = (await Promise.all(three)).map((lines) => lines.at(-1)!);
  expect(threeEnds.map(({ kind }) => kind)).toEqual(["done", "done", "problem"]);
  expect(threeEnds[2]).toMatchObject({ error: "2 other models are answering, and the page holds 2 at once" });

  const large = join(workspace, "large");
  cpSync(model, large, { recursive: true });
  const config = JSON.parse(readFileSync(join(large, "config.json"), "utf8"));
  writeFileSync(join(large, "config.json"), JSON.stringify({ ...config, n_embd: 16_384, n_head: 128, n_layer: 200 }));
  const [tooLarge] = (await asked(playground, { ...request, model: large })).slice(-1);
  expect(tooLarge).toMatchObject({ kind: "problem", error: expect.stringContaining("too large for the page") });

  const many = Array.from({ length: 5 }, () => asked(playground, request));
  const ends = (await Promise.all(many)).map((lines) => lines.at(-1)!);
  expect(ends.map(({ kind }) => kind)).toEqual(["done", "done", "done", "done", "problem"]);
  expect(ends[4]).toMatchObject({ error: "the engine is busy with 4 answers" });
  while (playground.offers().loaded.length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  expect((await asked(playground, request)).at(-1)).toMatchObject({ kind: "done" });
}, 60_000);
