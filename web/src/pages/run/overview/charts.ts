/** The charts of each stage in causal order: an upstream change moves next what is below it. */
import type { Stage } from "../../../../../src/types/records.ts";

export interface LineSpec {
  readonly key: string;
  readonly label: string;
  readonly stepped?: boolean;
  /** Keys of the ends of an interval around it. */
  readonly band?: readonly [low: string, high: string];
}

export interface ChartSpec {
  readonly title: string;
  readonly unit?: string;
  readonly lines: readonly LineSpec[];
  /** `usual`: logarithmic unless switched off; `never`: values of either sign, or shares. */
  readonly log?: "usual" | "never";
  readonly floor?: number;
  readonly ceiling?: number;
  /** A metric whose newest value is the target of this chart's lines. */
  readonly target?: string;
}

export interface GroupSpec {
  readonly id: string;
  readonly title: string;
  readonly charts: readonly ChartSpec[];
}

const line = (key: string, label: string, rest: Partial<LineSpec> = {}): LineSpec => ({ key, label, ...rest });
const one = (key: string, title: string, rest: Partial<ChartSpec> = {}): ChartSpec => ({
  title,
  lines: [line(key, title)],
  ...rest,
});
const share = { floor: 0, ceiling: 1, log: "never" } as const;
const floor0 = { floor: 0 } as const;
const nats = "nats/token";

export interface GroupOptions {
  readonly stage: Stage;
  /** Keys that the stage has recorded. */
  readonly keys: readonly string[];
  /** The unit of the KL's target. */
  readonly targetUnit?: "token" | "sequence";
}

/** The groups of a stage; lines, charts and groups without recorded values are left out. */
export function groupsOf({ stage, keys, targetUnit = "token" }: GroupOptions): GroupSpec[] {
  const present = new Set(keys);
  const groups = stage === "ppo" ? ppoGroups(keys, targetUnit) : stage === "sft" ? sftGroups : rewardGroups;
  return groups.flatMap((group) => {
    const charts = group.charts.flatMap((chart) => {
      const lines = chart.lines.filter(({ key }) => present.has(key));
      return lines.length === 0 ? [] : [{ ...chart, lines }];
    });
    return charts.length === 0 ? [] : [{ ...group, charts }];
  });
}

function ppoGroups(keys: readonly string[], targetUnit: "token" | "sequence"): GroupSpec[] {
  const steered = targetUnit === "sequence" ? "kl/ref_k1_sequence" : "kl/ref_k1_token";
  const isSteered = keys.includes("settings/kl_target");
  return [
    {
      id: "reward",
      title: "Reward",
      charts: [
        {
          title: "Score",
          unit: "mean, p5 to p95",
          lines: [line("reward/score_mean", "mean", { band: ["reward/score_p5", "reward/score_p95"] })],
          log: "never",
        },
        { title: "Components", unit: "raw means", lines: components(keys), log: "never" },
        one("reward/total_sequence", "Reward after penalties", { unit: "a sequence", log: "never" }),
      ],
    },
    {
      id: "kl",
      title: "KL to the reference and its coefficient",
      charts: [
        isSteered
          ? one(steered, "KL to the reference", {
              unit: `k1, nats/${targetUnit}`,
              target: "settings/kl_target",
              floor: 0,
            })
          : one("kl/ref_k3_token", "KL to the reference", { unit: `k3, ${nats}`, floor: 0 }),
        { title: "KL coefficient", lines: [line("kl/coef", "coefficient", { stepped: true })], floor: 0 },
        one("reward/kl_penalty_share", "Share of the penalty", {
          unit: "of the reward's size",
          floor: 0,
          log: "never",
        }),
      ],
    },
    {
      id: "clip",
      title: "Ratio and clip",
      charts: [
        one("clip/fraction", "Clip fraction", { unit: "share of tokens", floor: 0, log: "never" }),
        {
          title: "Approximate KL",
          unit: `old to new, ${nats}`,
          lines: [line("kl/old_new_k3_token", "mean")],
          target: "settings/penalty_target",
          floor: 0,
        },
        { title: "Ratio", lines: [line("ratio/mean", "mean"), line("ratio/max", "largest")] },
      ],
    },
    {
      id: "entropy",
      title: "Entropy",
      charts: [
        one("entropy/mean", "Entropy", { unit: nats, floor: 0 }),
        {
          title: "Variety",
          lines: [
            line("entropy/ratio_to_first", "entropy to the first"),
            line("response/distinct_2", "distinct bigrams"),
            line("response/repeat_agreement", "repeats that agree"),
          ],
          floor: 0,
        },
      ],
    },
    {
      id: "value",
      title: "Value",
      charts: [
        one("value/explained_variance", "Explained variance", { ceiling: 1, log: "never" }),
        one("value/loss", "Value loss", { unit: "reward²", floor: 0 }),
        one("value/clip_fraction", "Value clip fraction", { unit: "share of tokens", floor: 0, log: "never" }),
      ],
    },
    {
      id: "gradient",
      title: "Gradients",
      charts: [
        {
          title: "Gradient norm of the policy",
          lines: [line("gradient/policy_norm", "mean"), line("gradient/policy_norm_max", "largest")],
          log: "usual",
        },
        {
          title: "Gradient norm of the critic",
          lines: [line("gradient/critic_norm", "mean"), line("gradient/critic_norm_max", "largest")],
          log: "usual",
        },
        {
          title: "Learning rate",
          lines: [
            line("settings/policy_learning_rate", "policy", { stepped: true }),
            line("settings/critic_learning_rate", "critic", { stepped: true }),
          ],
          ...floor0,
        },
      ],
    },
    {
      id: "length",
      title: "Length",
      charts: [
        one("response/length_mean", "Length", { unit: "tokens", floor: 0 }),
        {
          title: "How responses end",
          unit: "shares",
          lines: [line("response/truncated_share", "truncated"), line("response/eos_share", "by themselves")],
          ...share,
        },
      ],
    },
    {
      id: "gold",
      title: "Gold checks, monitoring and safety",
      charts: [
        {
          title: "Gold checks",
          unit: "share passed",
          lines: [line("gold/mean", "rollout"), line("monitor/gold", "monitoring set")],
          ...share,
        },
        one("monitor/score", "Score on the monitoring set", { log: "never" }),
        one("reward_model/probe_accuracy", "Accuracy of the reward", { unit: "held-out pairs", ...share }),
        one("safety/share", "Unsafe responses", { unit: "share", floor: 0, log: "never" }),
        { title: "Health", lines: [line("health/total", "total")], floor: 0, ceiling: 100, log: "never" },
      ],
    },
    {
      id: "time",
      title: "Time and memory",
      charts: [
        {
          title: "Seconds an iteration",
          lines: [
            line("time/total_s", "all"),
            line("time/rollout_s", "rollout"),
            line("time/score_s", "score"),
            line("time/passes_s", "passes"),
            line("time/update_s", "update"),
          ],
          ...floor0,
        },
        one("time/sampled_tokens_per_s", "Sampled", { unit: "tokens/second", floor: 0 }),
        one("machine/resident_mb", "Memory", { unit: "MiB", floor: 0 }),
      ],
    },
  ];
}

const optimizer: GroupSpec = {
  id: "gradient",
  title: "Gradient and learning rate",
  charts: [
    one("gradient/norm", "Gradient norm", { log: "usual" }),
    { title: "Learning rate", lines: [line("settings/learning_rate", "rate", { stepped: true })], floor: 0 },
  ],
};

const sftGroups: readonly GroupSpec[] = [
  {
    id: "loss",
    title: "Loss",
    charts: [
      {
        title: "Loss",
        unit: nats,
        lines: [line("sft/loss", "training"), line("sft/heldout_loss", "held out")],
      },
    ],
  },
  optimizer,
  timeOf("time/tokens_per_s", "tokens/second"),
];

const rewardGroups: readonly GroupSpec[] = [
  {
    id: "loss",
    title: "Loss and accuracy",
    charts: [
      {
        title: "Loss",
        unit: "nats",
        lines: [line("reward_model/loss", "training"), line("reward_model/heldout_loss", "held out")],
        floor: 0,
      },
      {
        title: "Accuracy",
        unit: "share of pairs",
        lines: [
          line("reward_model/accuracy", "training"),
          line("reward_model/heldout_accuracy", "held out, 95%", {
            band: ["reward_model/heldout_accuracy_low", "reward_model/heldout_accuracy_high"],
          }),
        ],
        ceiling: 1,
        log: "never",
      },
      one("reward_model/score_gap", "Chosen less rejected", { unit: "raw score", log: "never" }),
    ],
  },
  optimizer,
  timeOf("time/pairs_per_s", "pairs/second"),
];

function timeOf(speed: string, unit: string): GroupSpec {
  return {
    id: "time",
    title: "Time and memory",
    charts: [
      one("time/total_s", "Seconds a step", { floor: 0 }),
      one(speed, "Speed", { unit, floor: 0 }),
      one("machine/resident_mb", "Memory", { unit: "MiB", floor: 0 }),
    ],
  };
}

/** Lines of the components; a single component is the score itself, so its chart would be redundant. */
function components(keys: readonly string[]): LineSpec[] {
  const found = keys.flatMap((key) => /^reward\/component\/(.+)_mean$/.exec(key)?.[1] ?? []);
  return found.length < 2 ? [] : found.map((name) => line(`reward/component/${name}_mean`, name));
}

/** All keys that these charts read. */
export function keysOf(charts: readonly ChartSpec[]): string[] {
  return [...new Set(charts.flatMap(({ lines }) => lines.flatMap(({ key, band = [] }) => [key, ...band])))];
}
