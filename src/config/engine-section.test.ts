/** The engine's section: its short form in a file and in an override, paths of programs, and settings of a different engine. */
import { expect, test } from "vitest";
import { parseConfig } from "./load-config.ts";

const engineOf = (text: string, ...overrides: string[]) => parseConfig(text, "conf/run.yaml", overrides).config.engine;

test("a kind stands for its section, in a file and in an override, also of one role", () => {
  expect(engineOf("engine: torch")).toEqual({ kind: "torch" });
  expect(engineOf("{}", "engine=torch", "engine.dtype=bf16")).toEqual({ kind: "torch", dtype: "bf16" });
  expect(engineOf("engine: {kind: torch, critic: embedded}", "engine.reward=torch", "engine.device=cpu")).toEqual({
    ...{ kind: "torch", device: "cpu", critic: { kind: "embedded" }, reward: { kind: "torch" } },
  });
  expect(() => engineOf("engine: tourch")).toThrow(/engine.kind.*torch/);
  expect(() => engineOf("{}", "engine=tourch")).toThrow(/engine=tourch.*torch/);
});

test("a program with a separator is a path beside the file; any other is a name", () => {
  const python = (path: string) => engineOf(`engine: {kind: torch, python: ${path}}`).python;
  expect(python("python3")).toBe("python3");
  expect(python("venv/bin/python")).toBe("conf/venv/bin/python");
  expect(python("../python")).toBe("./python");
  expect(python("/venv/bin/python")).toBe("/venv/bin/python");
});

test("settings of the PyTorch engine are refused for the embedded one", () => {
  expect(() => engineOf("engine: {dtype: bf16}")).toThrow(
    "engine.dtype is a setting of the PyTorch engine, and engine.kind is embedded",
  );
  expect(() => engineOf("engine: {kind: torch, critic: {kind: embedded, device: cpu}}")).toThrow(
    "engine.critic.device",
  );
  expect(() => engineOf("engine: {kind: torch, dtype: fp8}")).toThrow(/engine.dtype.*fp32, bf16/);
});
