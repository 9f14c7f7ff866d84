/** An incident with every kind of evidence, for tests. */
import type { IncidentEvidence, NewIncident } from "../../src/types/alerts.ts";

export const evidence: IncidentEvidence = {
  alert: {
    rule: "kl_stop",
    tier: 1,
    iteration: 77,
    since: 77,
    point: "updated",
    step: null,
    signal: "kl/old_new_k3_token",
    values: [0.31],
    condition: "> 0.15",
    message: "approx KL 0.31 > 0.15",
  },
  iterations: Array.from({ length: 20 }, (_, i) => ({
    iteration: 58 + i,
    values: {
      "kl/old_new_k3_token": i === 19 ? 0.31 : 0.01 + i / 1000,
      "reward/score_mean": i / 20,
      "policy/grad_norm": i === 18 ? Number.NaN : i === 19 ? Number.POSITIVE_INFINITY : 1,
      ...(i < 5 ? {} : { "entropy/mean": -0 }),
    },
  })),
  worstSamples: [
    {
      prompt: "what is 7 plus 5 ?",
      response: "half\0way \ud800 <script>alert(1)</script>",
      score: Number.NEGATIVE_INFINITY,
    },
    { prompt: "\u202etxet", response: "\x1b[31mred\x1b]8;;http://example.com\x07", score: -2 },
  ],
  changes: [
    { iteration: 70, key: "ppo.learningRate", before: 3e-5, value: 1e-3, cause: "operator" },
    { iteration: 74, key: "ppo.kl.coef", before: 0.05, value: 0.1, cause: "intervention" },
  ],
  active: [
    {
      id: 4,
      rule: "kl_soft",
      tier: 2,
      action: "learningRate",
      factor: 0.7,
      signal: "kl/old_new_k3_token",
      condition: "> 0.05 for 3",
      values: [0.06, 0.07, 0.08],
      from: 74,
      until: 84,
      reason: "approx KL 0.08 > 0.05 for 3 iterations",
    },
  ],
  checkpoints: {
    before: "/runs/a/ppo/checkpoint-000077",
    present: "/runs/a/ppo/checkpoint-000078",
    lastHealthy: "/runs/a/ppo/checkpoint-000050",
  },
};

export const incidentRecord = (changes: Partial<NewIncident> = {}): NewIncident => ({
  stage: "ppo",
  iteration: 77,
  rule: "kl_stop",
  summary: "approx KL 0.31 > 0.15",
  evidence,
  ...changes,
});
