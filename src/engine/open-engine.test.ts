/** Engines open by their kind, and several are one whose models know where they are. */
import { expect, test } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { sizes, temporaryFolder } from "../../test/support/stage.ts";
import { engineOfRole } from "./capabilities.ts";
import { engineKinds, openEngine } from "./open-engine.ts";

const toys: BigramEngine[] = [];
const kinds = {
  ...engineKinds,
  toy: async () => {
    const toy = new BigramEngine();
    toys.push(toy);
    return toy;
  },
  broken: async () => {
    throw new Error("no such device");
  },
};

test("a new kind is a row, and a kind without one is refused with the nearest", async () => {
  const engine = await openEngine({ kind: "toy", kinds });
  expect(engine).toBe(toys.at(-1));
  await expect(openEngine({ kind: "embeded" })).rejects.toThrow('no engine of kind "embeded"; did you mean embedded?');
});

test("a role's models are on its own engine, under ids that say so; no verb crosses from one to another", async () => {
  const engine = await openEngine({ kind: "toy", critic: { kind: "toy" }, kinds });
  const [main, second] = toys.slice(-2);
  const { id: policy } = await engine.createModel({ config: sizes, heads: ["lm"], seed: 1 });
  const folder = temporaryFolder();
  await engine.saveModel(policy, folder);
  const { id: critic } = await engine.loadModel(folder, { heads: ["scalar"], role: "critic" });
  const { id: slow } = await engine.cloneModel(critic);
  const { id: reference } = await engine.loadModel(folder, { role: "reference" });
  expect([main!.models.size, second!.models.size]).toEqual([2, 2]);
  expect([policy, critic, reference].map((id) => id.includes(":"))).toEqual([false, true, false]);
  await engine.ema(slow, critic, 0.5);
  await expect(engine.ema(slow, policy, 0.5)).rejects.toThrow("are on different engines");
  await expect(engine.cloneModel(policy, { into: critic })).rejects.toThrow("are on different engines");
  const sequences = [{ tokens: [4, 5, 6], start: 1 }];
  expect((await engine.forward(critic, { sequences, outputs: ["values"] })).values).toEqual([[0, 0]]);
  second!.capabilities = { ...second!.capabilities, entropy: false };
  const info = await engine.info();
  expect(engineOfRole(info, "critic").capabilities.entropy).toBe(false);
  expect(engineOfRole(info, "reward").capabilities.entropy).toBe(true);
  // A resumed run opens all of them with the recorded threads, and compares what each computes with.
  second!.info = async () => ({ ...info, cpu: "A CPU", threads: 4, versions: { library: "2.1" } });
  expect(await engine.info()).toMatchObject({
    ...{ name: "bigram", cpu: "none and A CPU", threads: 4 },
    versions: { "critic library": "2.1" },
  });
  await engine.disposeModel(critic);
  expect(second!.models.size).toBe(1);
  await engine.close();
  expect([main!.models.size, second!.models.size]).toEqual([0, 0]);
});

test("an engine that cannot be opened leaves none of the others behind", async () => {
  let closed = false;
  const first = async () => {
    const toy = await kinds.toy();
    toy.close = async () => {
      closed = true;
    };
    return toy;
  };
  const section = { kind: "first", reward: { kind: "broken" } };
  await expect(openEngine({ ...section, kinds: { ...kinds, first } })).rejects.toThrow("no such device");
  expect(closed).toBe(true);
});
