/** Fixed hyperparameters with many sequences a step, against a falling rate and a moving KL coefficient with few. */
import type { Study } from "./study.ts";
import { samples, step } from "./tasks.ts";

/** Iterations of 128 sequences in an eighth of a run. */
const eighth = samples / 128 / 8;

export const scheduleStudy: Study = {
  name: "schedule",
  title: "Fixed hyperparameters against schedules",
  seeds: 8,
  set: [],
  arms: [
    { name: "fixed512", set: step(512) },
    { name: "fixed128", set: step(128) },
    { name: "rate128", set: [...step(128), "ppo.schedule=step", "ppo.stepFactor=0.9", `ppo.stepEvery=${eighth}`] },
    {
      name: "kl128",
      set: [
        ...step(128),
        "ppo.kl.controller=step",
        // What a healthy run stays under in its first eighth: docs/doctor.md, the checklist of a run.
        "ppo.kl.target=0.1",
        ...["ppo.kl.high=1.5", "ppo.kl.low=0.5", "ppo.kl.up=2", "ppo.kl.down=0.5"],
      ],
    },
  ],
  figures: ["gold", "reward", "spread", "swing", "collapse", "kl"],
  claims: [
    {
      id: "schedule/fixed",
      says: "fixed hyperparameters with 512 sequences a step end higher (58.6) than a falling rate (52.3) or a moving KL coefficient (54.1) with 128",
      predictions: [
        { figure: "gold", of: "fixed512", than: "rate128", is: "higher" },
        { figure: "gold", of: "fixed512", than: "kl128", is: "higher" },
      ],
    },
    {
      id: "schedule/alone",
      says: "it is the schedule that costs, not the sequences: at 128 sequences a step, fixed hyperparameters end higher too",
      predictions: [
        { figure: "gold", of: "fixed128", than: "rate128", is: "higher" },
        { figure: "gold", of: "fixed128", than: "kl128", is: "higher" },
      ],
    },
  ],
};
