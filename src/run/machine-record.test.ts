/** What a run needs to be repeated to the bit is recorded, and differences are named. */
import { expect, it } from "vitest";
import { everyCapability } from "../engine/capabilities.ts";
import { machineDifferences, machineRecord } from "./machine-record.ts";

const info = async () => ({
  name: "embedded",
  cpu: "A CPU",
  threads: 2,
  versions: { "onnxruntime-node": "1.30.0" },
  capabilities: everyCapability,
});

it("records CPU, threads and versions", async () => {
  const machine = await machineRecord({ info });
  expect(machine).toMatchObject({ cpu: "A CPU", threads: 2, engine: "embedded" });
  expect(machine.versions).toMatchObject({ "onnxruntime-node": "1.30.0", node: process.versions.node });
  expect(machineDifferences(machine, machine)).toEqual([]);
});

it("names what differs", async () => {
  const machine = await machineRecord({ info });
  const other = { ...machine, cpu: "B CPU", threads: 4, versions: { ...machine.versions, node: "1.0.0" }, memoryGb: 1 };
  expect(machineDifferences(machine, other)).toEqual([
    "the run began with CPU A CPU, this is B CPU",
    "the run began with threads 2, this is 4",
    `the run began with memory of ${machine.memoryGb} GiB, this is 1 GiB`,
    `the run began with node ${process.versions.node}, this is 1.0.0`,
  ]);
});

it("several engines: a role's versions are compared, and one process is not recorded", async () => {
  const machine = await machineRecord({ info });
  const other = { ...machine, versions: { ...machine.versions, "critic torch": "2.1", "critic processes": "2" } };
  expect(machineDifferences(machine, other)).toEqual([
    "the run began with critic torch none, this is 2.1",
    "the run began with critic processes 1, this is 2",
  ]);
});
