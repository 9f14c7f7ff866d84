/** A tier 1 alert on a full disk: the run stops, notices are sent, and the incident is written as soon as there is room. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { watchedRecorder } from "../../src/run/watched-recorder.ts";
import { openConnection } from "../../src/store/connection.ts";
import { createStore } from "../../src/store/index.ts";
import type { EventRecord } from "../../src/types/records.ts";
import { StoppedByController } from "../../src/util/errors.ts";
import { rule } from "../support/rules.ts";
import { runPpo, wantsA } from "../support/run-ppo.ts";
import { closedAfterwards, runRecord, temporaryFolder } from "../support/store.ts";

it("loses nothing", async () => {
  const connection = openConnection(join(temporaryFolder(), "ballast.db"));
  const store = closedAfterwards(createStore(connection));
  store.createRun(runRecord("a"));
  const warnings: string[] = [];
  const recorder = store.recorder("a", store.startAttempt("a"), { onWarning: (text) => warnings.push(text) });
  const told: EventRecord[] = [];
  let scored = 0;
  const fillUp = () => {
    const { page_count } = connection.get<{ page_count: number }>("PRAGMA page_count")!;
    connection.exec(`PRAGMA max_page_count = ${page_count}`);
  };
  const stopped = await runPpo({
    ppo: { iterations: 6, sequences: 16 },
    rules: [rule("tier: 1, says: epochs, when: {signal: update/epochs, above: 0}, minHistory: 4", "fourth")],
    score: (row) => {
      // In the third of six iterations; the rule stops the fourth.
      if (scored++ === 2 * 16) fillUp();
      return wantsA(row);
    },
    context: { recorder: watchedRecorder(recorder, { onEvent: (event) => told.push(event) }) },
  }).catch((error) => error);
  expect(stopped).toBeInstanceOf(StoppedByController);
  expect(stopped.message).toContain("the incident could not be written yet");
  expect(stopped.hint).toContain("Free some space");
  expect(warnings).toEqual([expect.stringMatching(/full.*nothing is lost/i)]);
  expect(store.incidents()).toEqual([]);
  expect(told.filter(({ kind }) => kind === "incident")).toMatchObject([
    { message: "epochs 2 > 0  ->  stopped; the incident waits for room on the disk", data: { incident: null } },
  ]);

  connection.exec("PRAGMA max_page_count = 1073741823");
  recorder.close();
  expect(warnings[1]).toMatch(/accepts writes again.*none is lost/);
  const [incident] = store.incidents({ run: "a", open: true });
  expect(incident).toMatchObject({ id: 1, rule: "fourth", iteration: 3 });
  expect(incident!.evidence.iterations.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3]);
  expect(incident!.evidence.worstSamples).toHaveLength(5);
  expect(store.series("a", "ppo", "update/epochs").points.map(({ from }) => from)).toEqual([0, 1, 2, 3]);
});
