import { expect, it } from "vitest";
import { type FaultName, faultNames, faultsOf, readFault, withFaults } from "./fault-names.ts";
import { parseConfig } from "./load-config.ts";

const file = (...faults: string[]) =>
  parseConfig(
    `objective: x\ndemo: {}\nsft: {}\nreward: {}\nppo: {iterations: 50}\nfaults: [${faults.join(", ")}]`,
    "a.yaml",
  ).config;

it("reads a fault with its iteration, and one from the start", () => {
  expect(readFault("lr-spike@40")).toEqual({ name: "lr-spike", from: 40 });
  expect(faultsOf(file("reward-flip", "temperature@7"))).toEqual([
    { name: "reward-flip", from: 0 },
    { name: "temperature", from: 7 },
  ]);
  expect(faultNames).toHaveLength(14);
});

it.each<[string, string]>([
  ["lr-spik@4", "there is no fault lr-spik; did you mean lr-spike?"],
  ["temprature", "did you mean temperature?"],
  ["gremlins@2", "there is no fault gremlins; they are lr-spike, reward-noise"],
  ["lr-spike@soon", "the iteration is a whole number, as in lr-spike@40"],
  ["lr-spike@50", "begins after the run's 50 iterations; try lr-spike@25"],
])("%s is refused, with where it was written", (text, message) => {
  expect(() => file(text)).toThrow(message);
  expect(() => file(text)).toThrow("a.yaml:6");
  expect(() => withFaults(file(), [text])).toThrow(message);
});

it("a fault that the run cannot have is refused", () => {
  const config = file();
  const wrong = (name: FaultName, ppo: object) => () =>
    withFaults({ ...config, ppo: { ...config.ppo!, ...ppo } }, [name]);
  expect(wrong("critic-frozen", { criticKind: "shared" })).toThrow("ppo.criticKind separate");
  expect(wrong("few-sequences", { sequences: 12 })).toThrow("12 is not divisible by 8");
  expect(() => withFaults({ ...config, ppo: undefined }, ["unsafe"])).toThrow("no section ppo");
});
