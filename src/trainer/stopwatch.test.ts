/** What a stage records of the machine: a device's memory only where there is a device. */
import { expect, test } from "vitest";
import type { Engine, EngineUsage } from "../engine/engine.ts";
import { Stopwatch } from "./stopwatch.ts";

test("a device's memory is recorded beside the host's, if there is one", async () => {
  const recorded = async (usage: EngineUsage) =>
    (await Stopwatch.start({ usage: async () => usage } as Engine)).values();
  const host = { nativeSeconds: 1, residentMb: 200 };
  expect(Object.keys(await recorded(host))).not.toContain("machine/device_mb");
  expect(await recorded({ ...host, deviceMb: 9000 })).toMatchObject({
    "machine/resident_mb": 200,
    "machine/device_mb": 9000,
  });
});
