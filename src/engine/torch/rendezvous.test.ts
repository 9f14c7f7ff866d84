/** Where the processes of several machines meet: what is refused before any of them starts, and how the first one says for whom it waits. */
import { expect, test, vi } from "vitest";
import { rendezvousOf, waitingFor } from "./rendezvous.ts";

const addresses: Readonly<Record<string, string>> = { trainer: "127.0.1.1", far: "10.0.0.1" };
vi.mock("node:dns/promises", () => ({
  lookup: async (name: string) => {
    if (!(name in addresses)) throw new Error("ENOTFOUND");
    return { address: addresses[name] };
  },
}));

const at = (rendezvous: string | undefined, node = 0) => rendezvousOf({ processes: 2, nodes: 3, rendezvous }, node);

test.each([
  [undefined, /meet at engine.rendezvous, and it is not set/],
  ["here", /meet at engine.rendezvous, and it is here/],
  ["nowhere:29500", /no machine has the name nowhere here: it does not resolve/],
  ["trainer:29500", /at trainer, which is 127.0.1.1 here: an address that no other machine reaches/],
])("a place that others cannot reach is refused: %s", async (rendezvous, message) => {
  for (const node of [0, 1]) await expect(at(rendezvous, node)).rejects.toThrow(message);
});

test("an address, and a name of one, are taken as they are", async () => {
  for (const address of ["10.0.0.1", "far", "localhost", "127.0.0.1"])
    expect(await at(`${address}:29500`)).toEqual({ address, port: 29500, processes: 2, nodes: 3, node: 0 });
});

test("the first process says for which machines it waits, and what to run there", async () => {
  const place = (await at("far:29500"))!;
  const join = "ballast engine join torch --rendezvous far:29500 --node";
  expect(waitingFor([1, 2, 3, 4, 5], place)).toBe(
    `waiting for 2 machines at far:29500; on each, with N 1, 2: ${join} N --nodes 3 --processes 2`,
  );
  expect(waitingFor([5], place)).toBe(`waiting for 1 machine at far:29500; on it: ${join} 2 --nodes 3 --processes 2`);
  expect(waitingFor([1], place)).toBeNull();
});
