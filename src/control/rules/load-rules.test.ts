import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { keptTerminal } from "../../../test/support/terminal.ts";
import { runProgram } from "../../cli/program.ts";
import { loadConfig } from "../../config/load-config.ts";
import { levers } from "../../levers/levers.ts";
import { UsageError } from "../../util/errors.ts";
import { defaultRules, loadRules, parseRules } from "./load-rules.ts";
import { conditionSchema, moments, ruleSchema } from "./rule-schema.ts";
import { rulesToYaml } from "./rule-yaml.ts";

const good = "signal: kl/old_new_k3_token, above: 0.05";
/** A file with one rule in line 2 and the rest of it below. */
const one = (rest: string) => `rules:\n  - id: mine\n    source: a test\n${rest.replace(/^/gm, "    ")}\n`;

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return "no error";
}

const bad: [string, string, string | RegExp][] = [
  ["an empty file", "", "r.yaml:1: the file is empty"],
  ["comments alone", "# later\n", "r.yaml:1: the file is empty"],
  ["no YAML", "rules:\n  - id: [", /^r.yaml:\d: not valid YAML: /],
  ["a list at the top", "- id: mine", "r.yaml:1: expected `rules:` and a list of rules below it"],
  ["another key at the top", "\nrule: []", 'r.yaml:2: unknown key "rule"; did you mean rules?'],
  ["no rules", "rules:", "r.yaml:1: expected a list of rules below `rules:`, and it is empty"],
  ["an empty list of rules", "rules: []", "r.yaml:1: expected a list of rules below `rules:`, and it is empty"],
  [
    "a rule that is a word",
    "rules:\n  - kl_soft",
    /^r.yaml:2: rule 1: expected keys and values such as `id: my_rule`, found "kl_soft"$/,
  ],
  [
    "an unknown key",
    one(`tier: 3\nwhen: {${good}}\ncooldwon: 3`),
    'r.yaml:6: rule mine: unknown key "cooldwon"; did you mean cooldown?',
  ],
  [
    "an unknown key of a condition",
    one("tier: 3\nwhen:\n  signal: entropy/mean\n  abuve: 3"),
    'r.yaml:7: rule mine: unknown key "abuve"; did you mean above?',
  ],
  [
    "an unknown signal",
    one("tier: 3\nwhen: {signal: kl/old_new_k3_tokn, above: 0.05}"),
    "r.yaml:5: rule mine: there is no signal kl/old_new_k3_tokn; did you mean kl/old_new_k3_token?",
  ],
  [
    "an unknown second signal",
    one("tier: 3\nwhen:\n  signal: reward/score_mean\n  statistic: correlation\n  over: 5\n  with: gold\n  above: 0"),
    "r.yaml:9: rule mine: there is no signal gold; docs/metrics.md lists all",
  ],
  [
    "an unknown statistic",
    one("tier: 3\nwhen: {signal: entropy/mean, statistic: slop, over: 3, above: 0}"),
    /^r.yaml:5: rule mine: when.statistic: expected one of value, .*, found "slop"; did you mean slope\?$/,
  ],
  [
    "an unknown action",
    one(`tier: 2\nwhen: {${good}}\naction: {learningrate: 0.7}`),
    "r.yaml:6: rule mine: there is no action learningrate; did you mean learningRate?",
  ],
  [
    "an action of no meaning",
    one(`tier: 2\nwhen: {${good}}\naction: explode_now`),
    /there is no action explode_now; they are learningRate, .*, rollback$/,
  ],
  [
    "an action without its factor",
    one(`tier: 2\nwhen: {${good}}\naction: klCoef`),
    "r.yaml:6: rule mine: klCoef needs a factor: {klCoef: 1.5}",
  ],
  [
    "two actions",
    one(`tier: 2\nwhen: {${good}}\naction: {clip: 0.8, learningRate: 0.5}`),
    "r.yaml:6: rule mine: an action does one thing, and this one does 2: write a rule for each",
  ],
  ...([
    ["learningRate", 1.5, "a number above 0 and below 1"],
    ["learningRate", 0, "a number above 0 and below 1"],
    ["clip", 1, "a number above 0 and below 1"],
    ["valueUpdates", 9, "a whole number from 2 to 8"],
    ["klCoef", 11, "a number above 0, at most 10"],
    ["klCoef", -1, "a number above 0, at most 10"],
  ].map(([name, factor, allowed]) => [
    `a factor out of bounds: ${name} ${factor}`,
    one(`tier: 2\nwhen: {${good}}\naction: {${name}: ${factor}}`),
    `r.yaml:6: rule mine: ${name}: ${factor} would push the setting out of its bounds; it is multiplied by ${allowed}`,
  ]) as [string, string, string][]),
  [
    "a rollback to a setting that does not exist",
    one(`tier: 2\nwhen: {${good}}\naction: {rollback: {ppo.learningrate: 1e-4}}`),
    "r.yaml:6: rule mine: a rollback cannot change ppo.learningrate; did you mean ppo.learningRate?",
  ],
  [
    "a rollback to a setting that shapes the run as a whole",
    one(`tier: 2\nwhen: {${good}}\naction: {rollback: {ppo.iterations: 10}}`),
    /^r.yaml:6: rule mine: a rollback cannot change ppo.iterations; it may change ppo.learningRate, /,
  ],
  [
    "a rollback to a value that cannot be",
    one(`tier: 2\nwhen: {${good}}\naction: {rollback: {ppo.learningRate: -1}}`),
    "r.yaml:6: rule mine: ppo.learningRate: expected a number above 0, found -1",
  ],
  [
    "a window longer than the history",
    one(`tier: 3\nwhen: {${good}}\nwindow: 1001`),
    "r.yaml:6: rule mine: a window of 1001 is longer than the history that is kept, 1000 observations",
  ],
  [
    "a look back longer than the history",
    one("tier: 3\nwhen: {signal: entropy/mean, statistic: slope, over: 2000, above: 0}"),
    "r.yaml:5: rule mine: it looks back over 2000 observations; the history that is kept has 1000",
  ],
  [
    "a window longer than minHistory",
    one(`tier: 3\nwhen: {${good}}\nwindow: 5\nminHistory: 3`),
    "r.yaml:7: rule mine: a window of 5 is longer than minHistory 3; raise minHistory",
  ],
  [
    "a window that can never hold",
    one(`tier: 3\nwhen: {${good}}\nwindow: 5 of 3`),
    'r.yaml:6: rule mine: "5 of 3" can never hold: write "3 of 5"',
  ],
  [
    "a window in other words",
    one(`tier: 3\nwhen: {${good}}\nwindow: three`),
    'r.yaml:6: rule mine: window: expected a whole number from 1, or "3 of 5", found "three"',
  ],
  [
    "conditions that exclude each other",
    one("tier: 3\nwhen:\n  - {signal: entropy/mean, above: 2}\n  - {signal: entropy/mean, below: 1}"),
    "r.yaml:5: rule mine: it can never hold: no value of entropy/mean is on both of these sides",
  ],
  [
    "a threshold on neither side",
    one("tier: 3\nwhen: {signal: entropy/mean}"),
    "r.yaml:5: rule mine: a condition needs a threshold: `above` or `below`",
  ],
  [
    "a threshold that is text",
    one("tier: 3\nwhen: {signal: entropy/mean, above: high}"),
    'r.yaml:5: rule mine: when.above: expected number, found "high"',
  ],
  [
    "a threshold that is no number",
    one("tier: 3\nwhen: {signal: entropy/mean, above: .nan}"),
    "r.yaml:5: rule mine: when.above: expected number, found NaN",
  ],
  ["a tier 4", one(`tier: 4\nwhen: {${good}}`), "r.yaml:4: rule mine: tier: expected one of 1, 2, 3, found 4"],
  ["no tier", one(`when: {${good}}`), "r.yaml:2: rule mine: it needs the key tier: 1, 2 or 3"],
  [
    "no source",
    `rules:\n  - id: mine\n    tier: 3\n    when: {${good}}`,
    "r.yaml:2: rule mine: it needs the key source: a sentence that gives the source of its numbers",
  ],
  [
    "a tier 2 that does nothing",
    one(`tier: 2\nwhen: {${good}}`),
    "r.yaml:4: rule mine: tier 2 acts: give it an action, or make it tier 3",
  ],
  [
    "a tier 3 that acts",
    one(`tier: 3\nwhen: {${good}}\naction: pause`),
    "r.yaml:6: rule mine: tier 3 records and does nothing: make it tier 2, or drop the action",
  ],
  [
    "a mask outside an update",
    one(`tier: 2\nwhen: {${good}}\naction: mask`),
    "r.yaml:6: rule mine: mask is for rules on a step's signals (step/...)",
  ],
  [
    "a window on a step",
    one("tier: 3\nwhen: {signal: step/approx_kl, above: 1}\nwindow: 3"),
    "r.yaml:5: rule mine: a rule on a step's signals sees only this step: it takes no window and no statistic",
  ],
  [
    "an id given twice",
    `rules:\n  - {id: a, tier: 3, source: x, when: {${good}}}\n  - {id: a, tier: 3, source: x, when: {${good}}}`,
    "r.yaml:3: rule a: the id is taken by the rule in line 2; give one of them a different id",
  ],
  [
    "an id of another form",
    `rules:\n  - {id: Mine, tier: 3, source: x, when: {${good}}}`,
    'r.yaml:2: rule Mine: id: expected lowercase letters, digits and underscores, a letter first, found "Mine"',
  ],
  [
    "rules that contradict each other",
    `rules:\n  - {id: up, tier: 2, source: x, when: {signal: safety/share, above: 0.1}, action: {klCoef: 2}}
  - {id: down, tier: 2, source: x, when: {signal: safety/share, above: 0.2}, action: {klCoef: 0.5}}`,
    "r.yaml:3: rule down: rules up and down contradict each other: both can hold on one value of safety/share, and they move klCoef opposite ways; disable one, or separate their thresholds",
  ],
];

describe("a bad file of rules", () => {
  it.each(bad)("%s", (_, text, message) => {
    const said = messageOf(() => parseRules(text, "r.yaml"));
    if (typeof message === "string") expect(said).toBe(message);
    else expect(said).toMatch(message);
  });

  it("lists all mistakes at once", () => {
    const text = one("tier: 5\nwhen: {signal: entropy/mean, above: 1}\nactoin: pause");
    expect(messageOf(() => parseRules(text, "r.yaml")).split("\n")).toEqual([
      "2 mistakes in the rules",
      "r.yaml:4: rule mine: tier: expected one of 1, 2, 3, found 5",
      'r.yaml:6: rule mine: unknown key "actoin"; did you mean action?',
    ]);
  });

  it("two that move a setting opposite ways stand together if they can never meet", () => {
    const of = (more: string) => `rules:
  - {id: up, tier: 2, source: x, when: {signal: safety/share, above: 0.2}, action: {klCoef: 2}}
  - {id: down, tier: 2, source: x, when: {signal: safety/share, ${more}}, action: {klCoef: 0.5}}`;
    expect(messageOf(() => parseRules(of("below: 0.2"), "r.yaml"))).toBe("no error");
    expect(messageOf(() => parseRules(of("below: 0.3"), "r.yaml"))).toContain("contradict");
  });
});

describe("a user's rules beside the shipped ones", () => {
  const write = (text: string, name = "mine.yaml") => {
    const folder = mkdtempSync(join(tmpdir(), "ballast-rules-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it("a rule with a shipped rule's id takes its place, another comes last", () => {
    const rule = (id: string) => `  - {id: ${id}, tier: 3, source: x, when: {${good}}}\n`;
    const rules = loadRules({ path: write(`rules:\n${rule("kl_soft")}${rule("mine")}`), disable: ["kl_hard"] });
    const shipped = defaultRules().map(({ id }) => id);
    expect(rules.map(({ id }) => id)).toEqual([...shipped.filter((id) => id !== "kl_hard"), "mine"]);
    expect(rules.find(({ id }) => id === "kl_soft")).toMatchObject({ tier: 3, action: null });
  });

  it("that contradict a shipped one are refused, unless that one is disabled", () => {
    const path = write(
      `rules:\n  - {id: mine, tier: 2, source: x, when: {signal: safety/share, above: 0.05}, action: {klCoef: 0.5}}`,
    );
    const said = messageOf(() => loadRules({ path }));
    expect(said).toMatch(/mine.yaml:2: rule mine: rules safety_drift and mine contradict each other/);
    expect(messageOf(() => loadRules({ path, disable: ["safety_drift"] }))).toBe("no error");
  });

  it("that look back over more than the run has are refused", () => {
    const path = write(one(`tier: 3\nwhen: {${good}}\nwindow: 30`));
    expect(messageOf(() => loadRules({ path, iterations: 20 }))).toMatch(
      /mine.yaml:2: rule mine: it looks back over 30 iterations, and the run has 20: shorten/,
    );
    expect(messageOf(() => loadRules({ path, iterations: 30 }))).toBe("no error");
  });

  const config = (control: string) =>
    `objective: x\nmodel: {path: .}\nppo: {prompts: {path: p.jsonl}, iterations: 20, rewards: [{kind: exact}]}\ncontrol:\n${control}\n`;
  const configured = (control: string) => {
    const path = write(config(control), "c.yaml");
    const folder = join(path, "..");
    writeFileSync(join(folder, "p.jsonl"), '{"prompt": "a"}\n');
    return { path, folder };
  };

  it("are found relative to the configuration, and a missing file is a mistake in it", () => {
    const { path, folder } = configured("  rules: mine.yaml");
    expect(messageOf(() => loadConfig(path))).toMatch(/c.yaml:5: control.rules: there is no file .*mine.yaml/);
    writeFileSync(join(folder, "mine.yaml"), one(`tier: 3\nwhen: {${good}}`));
    expect(messageOf(() => loadConfig(path))).toBe("no error");
    writeFileSync(join(folder, "mine.yaml"), one(`tier: 3\nwhen: {${good}}\nwindow: 30`));
    expect(messageOf(() => loadConfig(path))).toMatch(/mine.yaml:2: rule mine: it looks back over 30/);
    writeFileSync(join(folder, "mine.yaml"), one("tier: 3\nwhen: {signal: x, above: 1}"));
    expect(messageOf(() => loadConfig(path))).toMatch(/mine.yaml:5: rule mine: there is no signal x/);
  });

  it("a rule to disable must exist", () => {
    const { path } = configured("  disable: [kl_hart]");
    expect(messageOf(() => loadConfig(path))).toMatch(
      /c.yaml:5: control.disable: there is no rule kl_hart; did you mean kl_hard\?$/,
    );
  });

  it("a mistake in them ends the commands with code 2 before anything is trained", async () => {
    const { path, folder } = configured("  rules: mine.yaml");
    writeFileSync(join(folder, "mine.yaml"), one("tier: 3\nwhen: {signal: x, above: 1}"));
    for (const args of [
      ["rules", "test", join(folder, "mine.yaml")],
      ["rules", "list", "--config", path],
      ["ppo", path, `workspace=${join(folder, "runs")}`],
    ]) {
      const error = await runProgram(args, keptTerminal()).catch((error: unknown) => error);
      expect(error).toMatchObject({
        exitCode: 2,
        message: expect.stringMatching(/mine.yaml:5: rule mine: there is no/),
      });
    }
  });
});

it("docs/control.md has an example that is read, and every key, statistic and action", () => {
  const page = readFileSync("docs/control.md", "utf8");
  const [, example] = /```yaml\n(# mine.yaml\n[\s\S]*?)```/.exec(page)!;
  expect(parseRules(example!, "docs/control.md")).toHaveLength(1);
  const words = [...page.matchAll(/`\{?([A-Za-z_]+)(?:: [^`]*)?`/g)].map(([, word]) => word);
  const wanted = [
    ...Object.keys(ruleSchema.shape),
    ...Object.keys(conditionSchema.shape).filter((key) => key !== "unit"),
    ...conditionSchema.shape.statistic.unwrap().options,
    ...Object.keys(levers),
    ...moments,
  ];
  expect(wanted.filter((word) => !words.includes(word))).toEqual([]);
});

it("rules written as YAML are read back the same", () => {
  const rules = defaultRules();
  expect(parseRules(rulesToYaml(rules), "written.yaml")).toEqual(rules);
});
