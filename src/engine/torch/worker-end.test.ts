/** What the user is told of a call that failed, and of an end of the worker. */
import { expect, test } from "vitest";
import { CheckpointError, EngineError, UsageError } from "../../util/errors.ts";
import { callError, endOf } from "./worker-end.ts";

test("a failure in the middle of a call says what became of the models", () => {
  const failed = (
    kind: "oom" | "worker" | "usage" | "checkpoint" | "cancelled",
    unchanged: boolean,
    hint: string | null = null,
  ) => callError({ kind, message: "it failed", hint, unchanged });
  expect(failed("oom", true, "Set microBatch to a smaller number.").hint).toBe(
    "Set microBatch to a smaller number. The weights and optimizers of all models are as they were before.",
  );
  for (const kind of ["oom", "worker"] as const) {
    expect(failed(kind, false)).toBeInstanceOf(EngineError);
    expect(failed(kind, false).hint).toMatch(/^A model is no longer whole.*`ballast resume RUN` continues/);
  }
  // What is refused before it begins, or taken back, changes nothing.
  expect(failed("usage", true)).toBeInstanceOf(UsageError);
  expect(failed("usage", true).hint).toBeUndefined();
  expect(failed("cancelled", true).hint).toBeUndefined();
  expect(failed("checkpoint", true, "Copy it again.")).toMatchObject({ hint: "Copy it again." });
  expect(failed("checkpoint", true)).toBeInstanceOf(CheckpointError);
});

test("processes that could not meet say why, with no word of a run to resume", () => {
  const ends = [{ rank: 1, code: 69, signal: null, errors: "noise\nballast: port 29500 is taken on this machine\n" }];
  const error = endOf(ends, { of: 2, remedy: "install it", answered: false });
  expect(error).toBeInstanceOf(UsageError);
  expect(error).toMatchObject({ message: "port 29500 is taken on this machine", hint: undefined });
});

test("the end that is a cause is told, not its consequences", () => {
  const gone = "ballast: process 0 of 2: RuntimeError: Connection closed by peer [127.0.0.1]:1234\n";
  const full =
    "noise\nballast: process 1 of 2: forwardBackward: there was not enough memory on cpu: 12 GB (Set microBatch)\n";
  const of = (...ends: readonly [number | null, string | null, string][]) =>
    endOf(
      ends.map(([code, signal, errors], rank) => ({ rank, code, signal, errors })),
      { of: ends.length, remedy: "install it", answered: true },
    );
  expect(of([70, null, gone], [70, null, full]).message).toMatch(
    /ended: process 1 of 2: forwardBackward: there was not/,
  );
  expect(of([70, null, gone], [null, "SIGKILL", ""]).message).toMatch(/process 1 of the PyTorch worker's 2 was killed/);
  expect(of([70, null, gone], [78, null, "ballast: no torch\n"])).toMatchObject({
    message: "no torch",
    hint: "install it",
  });
  expect(of([1, null, "Traceback\nOops"]).message).toBe("the PyTorch worker ended with code 1: Traceback | Oops");
});

test("if all here lost the processes of another machine, that is where to look", () => {
  const errors = "ballast: process 0 of 2: RuntimeError: Connection closed by peer [10.0.0.2]:1234\n";
  const ends = [{ rank: 0, code: 70, signal: null, errors }];
  const error = endOf(ends, { of: 1, elsewhere: true, remedy: "install it", answered: true }) as EngineError;
  expect(error.message).toMatch(/lost the processes of another machine, of which one probably ended first \(process 0/);
  expect(error.hint).toMatch(/`ballast engine join`.*`ballast resume RUN`/);
  // One of this machine's own is known.
  const killed = { rank: 1, code: null, signal: "SIGKILL", errors: "" };
  expect(endOf([...ends, killed], { of: 2, elsewhere: true, remedy: "", answered: true }).message).toMatch(
    /process 1 .* was killed/,
  );
});
