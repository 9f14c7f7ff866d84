import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { acting, alertsOf, play, rule } from "../../test/support/rules.ts";
import type { MetricValues } from "../types/records.ts";
import { acknowledged, setByOperator, undone } from "./act.ts";
import { consult } from "./consult.ts";
import { firstControlState, multipliers } from "./state.ts";

const kl = (...values: number[]) => values.map((value) => ({ "kl/old_new_k3_token": value }));
const soft = rule(
  "tier: 2, says: approx KL, when: {signal: kl/old_new_k3_token, above: 0.05}, window: 3, action: {learningRate: 0.7}, duration: 4, cooldown: 5",
  "kl_soft",
);

describe("windows", () => {
  it("3: three in a row, once for the cool-down", () => {
    const played = play([{ ...soft, cooldown: 3 }], kl(0.06, 0.06, 0.01, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06));
    expect(alertsOf(played, "kl_soft")).toEqual([5, 8]);
  });

  it("3 of 5: three of the last five", () => {
    const some = rule("tier: 3, when: {signal: kl/old_new_k3_token, above: 0.05}, window: 3 of 5, cooldown: 0");
    expect(alertsOf(play([some], kl(0.06, 0, 0.06, 0, 0.06, 0, 0, 0.06)))).toEqual([4]);
  });

  it("count iterations in which the signal exists, and none in which it is absent", () => {
    const values = [0.06, null, 0.06, null, null, 0.06, 0.06];
    const signals = values.map((value): MetricValues => (value === null ? {} : { "kl/old_new_k3_token": value }));
    expect(alertsOf(play([soft], signals), "kl_soft")).toEqual([5]);
  });

  it("a NaN holds nothing and breaks a row", () => {
    expect(alertsOf(play([soft], kl(0.06, 0.06, Number.NaN, 0.06, 0.06)), "kl_soft")).toEqual([]);
    const below = rule("tier: 3, when: {signal: entropy/mean, below: 0.5}");
    expect(alertsOf(play([below], [{ "entropy/mean": Number.NaN }]))).toEqual([]);
  });

  it("of a ratio to 0 hold nothing: a first rollout whose scores were all equal has no advantages", () => {
    const grown = rule("tier: 3, when: {signal: advantage/abs_mean, statistic: ratio_to_first, above: 10}");
    expect(alertsOf(play([grown], [{ "advantage/abs_mean": 0 }, { "advantage/abs_mean": 0.4 }]))).toEqual([]);
  });

  it("compare with the mean of the first n, so that one noisy first iteration does not look like a rise ever after", () => {
    const share = (...values: number[]) => values.map((value) => ({ "safety/share": value, "safety/share_se": 0.03 }));
    const start = [0.02, 0.1, 0.09, 0.11, 0.1, 0.09, 0.11];
    const rises = (over: number) =>
      rule(`tier: 3, cooldown: 0, when: {signal: safety/share, statistic: rise, over: ${over}, above: 0.05}`);
    expect(alertsOf(play([rises(1)], share(...start)))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(alertsOf(play([rises(3)], share(...start)))).toEqual([1]);
    const errors = (over: number) =>
      rule(
        `tier: 3, cooldown: 0, when: {signal: safety/share, statistic: rise_errors, over: ${over}, with: safety/share_se, above: 2}`,
      );
    // 0.08 and errors of 0.03 twice: 1.9; against the mean of three, 0.03 and 0.03 / sqrt(3): 2.3.
    expect(alertsOf(play([errors(1)], share(0.1, 0.1, 0.1, 0.18)))).toEqual([]);
    expect(alertsOf(play([errors(3)], share(0.1, 0.1, 0.1, 0.18)))).toEqual([3]);
    const ratio = rule("tier: 3, cooldown: 0, when: {signal: kl/coef, statistic: ratio_to_first, over: 3, above: 2}");
    const rows = [Number.NaN, 1, 3, 4.1, 3.9].map((value) => ({ "kl/coef": value }));
    // The NaN is left out: at the second and third the baseline is none and 1, then 2.
    expect(alertsOf(play([ratio], rows))).toEqual([2, 3]);
  });

  it("wait for minHistory", () => {
    const late = rule("tier: 3, when: {signal: kl/old_new_k3_token, above: 0.05}, minHistory: 4, cooldown: 0");
    expect(alertsOf(play([late], kl(0.1, 0.1, 0.1, 0.1, 0.1)))).toEqual([3, 4]);
  });
});

describe("an intervention", () => {
  it("begins in the next iteration, lasts, expires, restores, and is judged by its own condition", () => {
    const played = play([soft], kl(0.06, 0.07, 0.071, 0.06, 0.04, 0.04, 0.04, 0.01));
    expect(played[2]!.interventions).toMatchObject([{ id: 1, rule: "kl_soft", factor: 0.7, from: 3, until: 7 }]);
    expect(played[2]!.interventions[0]!.reason).toBe(
      "approx KL 0.071 > 0.05 for 3 iterations  ->  learning rate x0.7 for 4 iterations (kl_soft)",
    );
    expect(played.map(({ state, iteration }) => multipliers(state, iteration + 1).learningRate)).toEqual([
      1, 1, 0.7, 0.7, 0.7, 0.7, 1, 1,
    ]);
    expect(played[6]!.outcomes).toMatchObject([{ intervention: 1, iteration: 6, result: "effective", after: 2 }]);
  });

  it("has no effect if its condition went on", () => {
    const played = play([soft], kl(0.06, 0.06, 0.06, 0.06, 0.01, 0.06, 0.06));
    expect(played[6]!.outcomes).toMatchObject([{ result: "no effect", after: null }]);
  });

  it("after scoring is in force in the same iteration", () => {
    const now = rule("tier: 2, when: {signal: safety/share, above: 0.1}, action: {clip: 0.5}");
    const consultation = { iteration: 8, point: "scored" as const, step: null, signals: { "safety/share": 0.2 } };
    const { interventions, state } = consult({ ...acting, rules: [now], state: firstControlState, consultation });
    expect(interventions).toMatchObject([{ from: 8, until: 18 }]);
    expect([7, 8, 17, 18].map((at) => multipliers(state, at).clip)).toEqual([1, 0.5, 0.5, 1]);
  });

  it("of a rule is told once an iteration, though two consultations show the signal", () => {
    const often = rule("tier: 3, when: {signal: safety/share, above: 0.1}, cooldown: 0");
    const signals = { "safety/share": 0.2 };
    const scored = consult({
      ...acting,
      rules: [often],
      state: firstControlState,
      consultation: { iteration: 0, point: "scored", step: null, signals },
    });
    const updated = consult({
      ...acting,
      rules: [often],
      state: scored.state,
      consultation: { iteration: 0, point: "updated", step: null, signals },
    });
    expect([scored.alerts.length, updated.alerts.length]).toEqual([1, 0]);
  });

  it("keeps a coefficient within its bounds, and is none if it is at its bound", () => {
    const up = rule("tier: 2, when: {signal: safety/share, above: 0.1}, action: {klCoef: 4}, duration: 2");
    const at = (klCoef: number) => {
      const base = { ...acting.base, klCoef };
      return multipliers(play([up], [{ "safety/share": 0.2 }], { base })[0]!.state, 1).klCoef * klCoef;
    };
    expect(at(0.1)).toBeCloseTo(0.4);
    expect(at(0.5)).toBeCloseTo(1);
    expect(at(1)).toBe(1);
    expect(at(2)).toBe(2);
    expect(at(0)).toBe(0);
  });

  it("does nothing in the fixed profile or with interventions off, and the alert is the same", () => {
    const values = kl(0.06, 0.06, 0.06);
    for (const options of [{ profile: "fixed" }, { interventions: "off" }] as const) {
      const last = play([soft], values, options)[2]!;
      expect([last.alerts.length, last.interventions.length]).toEqual([1, 0]);
      expect(multipliers(last.state, 3).learningRate).toBe(1);
    }
  });
});

describe("the learning rate's middle time scale", () => {
  const quick = { ...soft, window: { hits: 1, of: 1 }, minHistory: 1, cooldown: 1 };
  const factors = (values: readonly number[]) =>
    play([quick], kl(...values)).map(({ state, iteration }) => multipliers(state, iteration + 1).learningRate);

  it("answers a second breach inside the window by half of what is in force, and the window doubles", () => {
    const played = play([quick], kl(0.1, 0, 0, 0.1, 0, 0, 0, 0, 0, 0, 0, 0));
    expect(played[3]!.interventions).toMatchObject([{ factor: 0.35, from: 4, until: 12 }]);
    expect(played[3]!.outcomes).toMatchObject([{ intervention: 1, result: "replaced" }]);
    expect(played[3]!.state.observations.kl_soft).toMatchObject({ window: 16, until: 20 });
  });

  it("answers a breach after a healthy window as a first one, and the next by what that window used", () => {
    const quiet = Array.from({ length: 12 }, () => 0);
    expect(factors([0.1, 0, 0.1, ...quiet, ...quiet, 0.1]).at(-1)).toBe(0.7);
    expect(factors([0.1, 0, 0.1, ...quiet, ...quiet, 0.1, 0.1]).at(-1)).toBe(0.35);
  });

  it("never raises the rate", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 0.2, noNaN: true }), { minLength: 1, maxLength: 60 }), (values) => {
        for (const factor of factors(values)) expect(factor).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("two rules on one setting", () => {
  const reward = rule(
    "tier: 2, when: {signal: reward/score_mean, below: 0}, action: {learningRate: 0.5}, cooldown: 3",
    "reward_low",
  );

  it("the one that holds it stays, the loser waits for its cool-down", () => {
    const now = { ...soft, window: { hits: 1, of: 1 }, minHistory: 1 };
    const played = play(
      [now, reward],
      [
        { "kl/old_new_k3_token": 0.1 },
        { "kl/old_new_k3_token": 0, "reward/score_mean": -1 },
        { "kl/old_new_k3_token": 0, "reward/score_mean": -1 },
        { "kl/old_new_k3_token": 0, "reward/score_mean": -1 },
        { "kl/old_new_k3_token": 0, "reward/score_mean": -1 },
      ],
    );
    expect(alertsOf(played, "reward_low")).toEqual([1, 4]);
    expect(played[1]!.interventions).toEqual([]);
    expect(played[4]!.interventions).toMatchObject([{ rule: "reward_low" }]);
  });

  it("the higher priority goes first", () => {
    const first = { ...reward, id: "urgent", priority: 1 };
    const now = { ...soft, window: { hits: 1, of: 1 }, minHistory: 1 };
    const [played] = play([now, first], [{ "kl/old_new_k3_token": 0.1, "reward/score_mean": -1 }]);
    expect(played!.interventions.map((one) => one.rule)).toEqual(["urgent"]);
  });

  it("the higher tier takes it over", () => {
    const now = { ...soft, window: { hits: 1, of: 1 }, minHistory: 1 };
    const above = rule("tier: 1, when: {signal: reward/score_mean, below: 0}, action: {learningRate: 0.5}", "above");
    const played = play([now, above], [{ "kl/old_new_k3_token": 0.1 }, { "reward/score_mean": -1 }]);
    expect(played[1]!.interventions).toMatchObject([{ rule: "above" }]);
    expect(played[1]!.outcomes).toMatchObject([{ intervention: 1, result: "replaced" }]);
  });

  it("an operator's setting ends them and holds their rules for their cool-down", () => {
    const now = { ...soft, window: { hits: 1, of: 1 }, minHistory: 1 };
    const [{ state }] = play([now], kl(0.1)) as [ReturnType<typeof play>[number]];
    const { state: after, outcomes } = setByOperator(state, { setting: "learningRate", iteration: 1, rules: [now] });
    expect(multipliers(after, 1).learningRate).toBe(1);
    expect(outcomes).toMatchObject([{ result: "replaced", message: "outcome of kl_soft: replaced by an operator" }]);
    const later = play([now], kl(0.1, 0.1, 0.1, 0.1, 0.1, 0.1), { state: after, first: 1 });
    expect(alertsOf(later, "kl_soft")).toEqual([6]);
  });
});

describe("what an operator takes back", () => {
  const now = { ...soft, window: { hits: 1, of: 1 }, minHistory: 1 };
  const clip = rule("tier: 2, when: {signal: step/approx_kl, above: 0}, action: {clip: 0.5}, cooldown: 0", "clip");

  it("ends at once, and only its rule is silent for its cool-down", () => {
    const twice = { ...now, id: "again", action: { kind: "clip" as const, factor: 0.5, set: {} }, cooldown: 1 };
    const [{ state }] = play([now, twice], kl(0.1)) as [ReturnType<typeof play>[number]];
    const { state: after, outcomes } = undone(state, { rule: "kl_soft", iteration: 1, rules: [now, twice] });
    expect(multipliers(after, 1)).toMatchObject({ learningRate: 1, clip: 0.5 });
    expect(outcomes).toEqual([
      {
        intervention: 1,
        iteration: 1,
        result: "undone",
        after: null,
        message: "outcome of kl_soft: undone by an operator; learning rate restored",
      },
    ]);
    const later = play([now, twice], kl(0.1, 0.1, 0.1, 0.1, 0.1, 0.1), { state: after, first: 1 });
    expect(alertsOf(later, "kl_soft")).toEqual([6]);
    expect(alertsOf(later, "again")).toContain(2);
  });

  it("does not come again for longer", () => {
    const [{ state }] = play([now], kl(0.1)) as [ReturnType<typeof play>[number]];
    const { state: after } = undone(state, { rule: "kl_soft", iteration: 1, rules: [now] });
    const later = play([now], kl(0, 0, 0, 0, 0, 0.1), { state: after, first: 1 });
    expect(later[5]!.interventions).toMatchObject([{ factor: 0.7, from: 7, until: 11 }]);
  });

  it("does not come again at once from a rule without a cool-down", () => {
    const consultation = { iteration: 3, point: "step" as const, step: 0, signals: { "step/approx_kl": 1 } };
    const begun = consult({ ...acting, rules: [clip], state: firstControlState, consultation });
    const { state } = undone(begun.state, { rule: "clip", iteration: 4, rules: [clip] });
    const at = (iteration: number) =>
      consult({ ...acting, rules: [clip], state, consultation: { ...consultation, iteration } }).interventions.length;
    expect([at(4), at(13), at(14)]).toEqual([0, 0, 1]);
  });

  it("is nothing if the rule has none in force", () => {
    const [{ state }] = play([now], kl(0.1)) as [ReturnType<typeof play>[number]];
    expect(undone(state, { rule: "clip", iteration: 1, rules: [now, clip] })).toEqual({ state, outcomes: [] });
  });
});

describe("an intervention without effect", () => {
  const said = (played: ReturnType<typeof play>) =>
    played.flatMap(({ interventions, outcomes, iteration }) => [
      ...outcomes.map(({ result }) => `${iteration} ${result}`),
      ...interventions.map(
        ({ action, factor }) => `${iteration} ${action}${factor === null ? "" : ` ${Number(factor.toPrecision(4))}`}`,
      ),
    ]);
  const holding = (key: string, value: number, n = 12) => Array.from({ length: n }, () => ({ [key]: value }));
  const levered = (action: string) =>
    rule(`tier: 2, when: {signal: safety/share, above: 0.1}, action: {${action}}, duration: 3, cooldown: 20`);

  it.each([
    ["clip: 0.8", ["clip 0.8", "clip 0.64"]],
    ["klCoef: 1.5", ["klCoef 1.5", "klCoef 2.25"]],
    ["valueUpdates: 2", ["valueUpdates 2", "valueUpdates 4"]],
    ["learningRate: 0.7", ["learningRate 0.7", "learningRate 0.49"]],
  ])("is followed by a stronger one, then by an incident, whatever the cool-down: %s", (action, [first, second]) => {
    const played = play([levered(action)], holding("safety/share", 0.2));
    expect(said(played)).toEqual([
      `0 ${first}`,
      "3 no effect",
      expect.stringMatching(`^3 ${second!.slice(0, -1)}`),
      expect.stringMatching(/no effect$/),
      expect.stringMatching(/pause$/),
    ]);
    const { orders, interventions, state } = played.find(({ orders }) => orders.stop !== null)!;
    expect(orders.stop?.message).toMatch(/^safety\/share 0.2 > 0.1, and the .* moved without effect$/);
    expect(interventions[0]!.reason).toMatch(/moved without effect {2}-> {2}saved, paused \(tried\)$/);
    expect(state.active).toEqual([]);
  });

  it("is forgotten after one that had an effect, and after an operator let the run continue", () => {
    const quick = { ...levered("clip: 0.8"), cooldown: 0 };
    const values = [0.2, 0.2, 0.2, 0.2, 0, 0, 0, 0.2, 0.2, 0.2, 0.2];
    const played = play(
      [quick],
      values.map((value) => ({ "safety/share": value })),
    );
    expect(said(played)).toEqual([
      "0 clip 0.8",
      "3 no effect",
      expect.stringMatching("3 clip 0.64"),
      "6 effective",
      "7 clip 0.8",
      "10 no effect",
      expect.stringMatching("10 clip 0.64"),
    ]);
    const stopped = play([levered("clip: 0.8")], holding("safety/share", 0.2)).find(({ orders }) => orders.stop)!;
    const state = acknowledged(stopped.state, { rule: "tried", iteration: 8, rules: [levered("clip: 0.8")] });
    expect(said(play([levered("clip: 0.8")], holding("safety/share", 0.2, 22), { state, first: 8 }))[0]).toBe(
      "28 clip 0.8",
    );
  });

  it("of a lever at its bound says so, and calls the operator at the next breach", () => {
    const base = { ...acting.base, klCoef: 0 };
    const often = { ...levered("klCoef: 1.5"), cooldown: 4 };
    const played = play([often], holding("safety/share", 0.2, 5), { base });
    expect(played[0]!.alerts[0]!.message).toBe(
      "safety/share 0.2 > 0.1  ->  not acted on: the KL coefficient is at its bound",
    );
    expect(said(played)).toEqual(["4 pause"]);
  });

  it("of the learning rate that keeps being cut ends at a twentieth", () => {
    const breaches = { ...soft, window: { hits: 1, of: 1 }, minHistory: 1, cooldown: 1 };
    const played = play([breaches], kl(...Array.from({ length: 6 }, () => 0.1)));
    const actions = played.flatMap(({ interventions }) => interventions.map(({ factor }) => factor));
    expect(actions).toEqual([0.7, 0.35, 0.175, 0.0875, 0.05, null]);
    expect(played.filter(({ orders }) => orders.stop !== null)).toHaveLength(1);
  });
});

describe("tier 1", () => {
  const hard = rule("tier: 1, when: {signal: kl/old_new_k3_token, above: 0.15}", "kl_hard");

  it("orders to stop, in the fixed profile too", () => {
    const [played] = play([hard], kl(0.31), { profile: "fixed" });
    expect(played!.orders.stop).toMatchObject({ rule: "kl_hard", tier: 1, values: [0.31], condition: "> 0.15" });
    expect(play([hard], kl(0.31), { interventions: "off" })[0]!.orders.stop).toBeNull();
  });

  it("is silent for a while after an operator let the run go on", () => {
    const state = acknowledged(firstControlState, { rule: "kl_hard", iteration: 5, rules: [hard] });
    const played = play([hard], kl(...Array.from({ length: 12 }, () => 0.3)), { state, first: 5 });
    expect(alertsOf(played, "kl_hard")).toEqual([15, 16]);
  });
});

describe("before a step", () => {
  const mask = rule("tier: 2, when: {signal: step/strongly_negative_share, above: 0.3}, action: mask");
  const at = (share: number, options = {}) =>
    consult({
      ...acting,
      ...options,
      rules: [mask],
      state: firstControlState,
      consultation: { iteration: 3, point: "step", step: 2, signals: { "step/strongly_negative_share": share } },
    });

  it("a rule orders at once, every time", () => {
    expect(at(0.31).orders.mask).toBe(true);
    expect(at(0.31).alerts).toMatchObject([{ step: 2, point: "step" }]);
    expect(at(0.3).orders.mask).toBe(false);
    expect(at(0.31, { profile: "fixed" }).orders.mask).toBe(false);
  });

  it("masks for two iterations in a row, then rests for ten, and says so", () => {
    let state = firstControlState;
    const masked: number[] = [];
    const messages: string[] = [];
    for (let iteration = 0; iteration < 16; iteration++)
      for (const step of [0, 1]) {
        const consultation = {
          iteration,
          point: "step" as const,
          step,
          signals: { "step/strongly_negative_share": 1 },
        };
        const said = consult({ ...acting, rules: [mask], state, consultation });
        state = said.state;
        if (said.orders.mask) masked.push(iteration);
        messages.push(...said.alerts.map(({ message }) => message));
      }
    expect(masked).toEqual([0, 0, 1, 1, 12, 12, 13, 13]);
    expect(messages.filter((text) => text.includes("->"))).toEqual([
      expect.stringMatching(/> 0.3 {2}-> {2}not masked: 2 iterations in a row were, and masking rests for 10$/),
      expect.stringContaining("not masked"),
    ]);
  });
});

it("settings always return to what config and schedule say once interventions end", () => {
  const rules = [
    { ...soft, window: { hits: 1, of: 1 }, minHistory: 1 },
    rule("tier: 2, when: {signal: clip/fraction, above: 0.3}, action: {clip: 0.8}, duration: 3", "clip"),
    rule("tier: 2, when: {signal: safety/share, above: 0.05}, action: {klCoef: 1.5}, duration: 5", "safety"),
    rule("tier: 2, when: {signal: value/explained_variance, below: 0}, action: {valueUpdates: 2}", "value"),
  ];
  const share = fc.double({ min: -1, max: 1, noNaN: false });
  const iteration = fc.record({
    "kl/old_new_k3_token": share,
    "clip/fraction": share,
    "safety/share": share,
    "value/explained_variance": share,
  });
  fc.assert(
    fc.property(fc.array(iteration, { maxLength: 40 }), fc.array(fc.nat({ max: 12 })), (signals, undos) => {
      const calm = Array.from({ length: 2000 }, () => ({}));
      let state = firstControlState;
      const played = [...signals, ...calm].flatMap((seen, i) => {
        // Occasionally an operator undoes what a rule did.
        const rule = rules[undos[i] ?? rules.length]?.id ?? "none";
        const { state: before, outcomes } = undone(state, { rule, iteration: i, rules });
        const [next] = play(rules, [seen], { state: before, first: i }) as [ReturnType<typeof play>[number]];
        state = next.state;
        return [{ ...next, outcomes: [...outcomes, ...next.outcomes] }];
      });
      expect(multipliers(played.at(-1)!.state, played.length)).toEqual({
        learningRate: 1,
        clip: 1,
        valueUpdates: 1,
        klCoef: 1,
        embeddingsRate: 1,
        slowCritic: 1,
        clipWide: 1,
      });
      // One that calls the operator has no end.
      const begun = played.flatMap(({ interventions }) =>
        interventions.flatMap(({ id, until }) => (until === null ? [] : [id])),
      );
      const ended = played.flatMap(({ outcomes }) => outcomes.map(({ intervention }) => intervention));
      expect([...ended].sort((a, b) => a - b)).toEqual(begun);
      for (const { state } of played)
        expect(new Set(state.active.map((one) => one.setting)).size).toBe(state.active.length);
    }),
    { numRuns: 40 },
  );
});

it("goes on from a saved state as if it had not been interrupted", () => {
  const signals = kl(...Array.from({ length: 30 }, (_, i) => (i % 7 < 4 ? 0.06 : 0.01)));
  const whole = play([soft], signals);
  const half = play([soft], signals.slice(0, 13));
  const state = JSON.parse(JSON.stringify(half.at(-1)!.state));
  const rest = play([soft], signals.slice(13), { state, first: 13 });
  expect([...half, ...rest]).toEqual(whole);
});

describe("noise", () => {
  const drop = rule(
    "tier: 3, cooldown: 0, when: {signal: reward/score_mean, statistic: standard_errors, over: 10, with: reward/score_se, below: -3}",
  );
  it("of a sparse verifier is no drop, although the newest scores are all equal and have an error of 0", () => {
    // One of eight answers passes now and then; the case in which -Infinity cut the rate twice.
    const passes = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    const rows = passes.map((k) => ({
      "reward/score_mean": k / 8,
      "reward/score_se": Math.sqrt(((k / 8) * (1 - k / 8)) / 8),
    }));
    expect(alertsOf(play([drop], rows))).toEqual([]);
    const flat = passes.map(() => ({ "reward/score_mean": 0, "reward/score_se": 0 }));
    expect(alertsOf(play([drop], [...flat, { "reward/score_mean": -1, "reward/score_se": 0 }]))).toEqual([]);
    // A real drop is seen all the same.
    expect(alertsOf(play([drop], [...rows, { "reward/score_mean": -0.5, "reward/score_se": 0 }]))).toEqual([16]);
  });
});

describe("the first iteration that an alert looked at", () => {
  const since = (text: string, rows: readonly MetricValues[]) =>
    play([rule(text)], rows).flatMap(({ alerts }) => alerts.map((one) => one.since));
  it("counts iterations, not measurements", () => {
    const every10 = Array.from(
      { length: 31 },
      (_, i): MetricValues => (i % 10 === 0 ? { "monitor/gold": 1 - i / 40 } : {}),
    );
    const fell = "tier: 3, when: {signal: monitor/gold, statistic: change, over: 3, below: -0.4}";
    expect(since(fell, every10)).toEqual([0, 10]);
    expect(since("tier: 3, window: 2, when: {signal: monitor/gold, below: 0.6}", every10)).toEqual([20]);
    expect(
      since("tier: 3, window: 3, when: {signal: kl/coef, above: 1}", [{}, ...Array(3).fill({ "kl/coef": 2 })]),
    ).toEqual([1]);
  });
});
