/** The thread that writes the doctor's findings into a run's folder while the run starts. */

import { join } from "node:path";
import { workerData } from "node:worker_threads";
import { examine } from "../../../control/doctor/index.ts";
import { configOf } from "../../../inspect/places.ts";
import { writeDurably } from "../../../util/durable.ts";
import { gatherFacts, unreadFindings } from "./doctor-facts.ts";

const { folder } = workerData as { readonly folder: string };
const config = configOf({ folder });
if (config.ppo) {
  // The record has the number of sequences that a budget of tokens gave.
  const { tokensPerStep: _, ...ppo } = config.ppo;
  const { facts, unread } = await gatherFacts({ config, ppo, tokenBudget: null, measure: false });
  writeDurably(join(folder, "doctor.json"), `${JSON.stringify(examine(facts, unreadFindings(unread)))}\n`);
}
