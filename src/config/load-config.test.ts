import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { BallastError, CheckpointError, UsageError } from "../util/errors.ts";
import { loadConfig, parseConfig, parseResolvedConfig, recordedConfig, withModelSizes } from "./load-config.ts";

function failureOf(work: () => unknown): BallastError {
  try {
    work();
  } catch (error) {
    if (error instanceof BallastError) return error;
    throw error;
  }
  throw new Error("expected a failure");
}

function messageFor(text: string, overrides: string[] = []): string {
  const error = failureOf(() => parseConfig(text, "a.yaml", overrides));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.exitCode).toBe(2);
  return error.message;
}

const demo = "demo: {}\n";

describe("a text that is not a configuration", () => {
  it.each([
    ["", "a.yaml:1: the file is empty"],
    ["# nothing\n", "a.yaml:1: the file is empty"],
    ["- sft\n", "a.yaml:1: expected keys and values at the top, such as `seed: 1`"],
    ["a: 1\n---\nb: 2\n", "a.yaml:2: a second document begins here; a configuration is one"],
    ["seed: 1\nsft:\n\tsteps: 3\n", "a.yaml:3: not valid YAML: Tabs are not allowed as indentation"],
    ["name: !!js/function x\n", "a.yaml:1: not valid YAML: Unresolved tag: tag:yaml.org,2002:js/function"],
    ["seed: 1\nname: *gone\n", "a.yaml:2: the alias *gone has no anchor &gone before it"],
    ["name: {{ name }}\n", "a.yaml:1: a key must be plain text, not a list or a section"],
  ])("%j", (text, message) => {
    expect(messageFor(text)).toBe(message);
  });

  it("refuses a bomb of aliases", () => {
    const level = (from: string, to: string) => `${to}: &${to} [${Array(9).fill(`*${from}`).join(",")}]\n`;
    const bomb = `a: &a [${Array(9).fill(1).join(",")}]\n${level("a", "b")}${level("b", "c")}${level("c", "d")}`;
    expect(messageFor(bomb)).toMatch(/^a.yaml:2: the aliases cannot be expanded: Excessive alias count/);
  });

  it("says nothing else of a section that is given twice", () => {
    const twice = 'the key "sft" is given twice in the same section; keep one of them';
    expect(messageFor("sft:\n  data: {path: d.jsonl}\nsft:\n  steps: 10\n")).toBe(`a.yaml:3: ${twice}`);
    expect(messageFor("sft: {}\ndemo: {}\nsft: {steps: none}\n")).toContain("a.yaml:1: sft.steps: expected");
  });

  it("lists every key that is given twice", () => {
    expect(messageFor("seed: 1\ndemo: {}\nsft: {steps: 3,\n  steps: 4}\n'seed': 2\n")).toBe(
      '2 mistakes in the configuration\na.yaml:4: the key "steps" is given twice in the same section; keep one of them\na.yaml:5: the key "seed" is given twice in the same section; keep one of them',
    );
  });
});

describe("one wrong value", () => {
  it.each([
    [
      "lerningRate: 1\n",
      'a.yaml:1: unknown key "lerningRate"; did you mean sft.learningRate, reward.learningRate or ppo.learningRate?',
    ],
    ["demo: {}\nsft:\n  lerningRate: 1\n", 'a.yaml:3: unknown key "lerningRate" in sft; did you mean learningRate?'],
    ["sft:\n  Steps: 1\n", 'a.yaml:2: unknown key "Steps" in sft; did you mean steps?'],
    ["eval:\n  samples: 8\n", 'a.yaml:1: unknown key "eval"; did you mean evaluation?'],
    [
      "ppo:\n  kl:\n    xyzzy: 1\n",
      'a.yaml:3: unknown key "xyzzy" in ppo.kl; it may have in, estimator, coef, controller, target, targetEnd, preset, high, low, up, down, alpha, horizon, min, max and targetUnit',
    ],
    [
      "sft: &x {}\nppo:\n  <<: *x\n",
      'a.yaml:3: unknown key "<<" in ppo: merge keys are not part of YAML 1.2; write the values out',
    ],
    [
      "ppo:\n  rewards:\n    - kind: length\n      mx: 3\n      max: 3\n",
      'a.yaml:4: unknown key "mx" in ppo.rewards.0; did you mean max?',
    ],
    [
      "ppo:\n  rewards:\n    - kind: exact\n    - kind: patern\n",
      'a.yaml:4: ppo.rewards.1.kind: expected one of model, exact, last_number, pattern, length, repetition, safety, comparison, caller, function, found the text "patern"; did you mean pattern?',
    ],
    [
      "ppo:\n  rewards:\n    - weight: 1\n",
      "a.yaml:3: ppo.rewards.0 needs the key kind: one of model, exact, last_number, pattern, length, repetition, safety, comparison, caller, function",
    ],
    ["ppo:\n  rewards:\n    - kind: length\n", "a.yaml:3: ppo.rewards.0 needs the key max: a whole number from 1"],
    ["ppo:\n  rewards: []\n", "a.yaml:2: ppo.rewards: expected a list that is not empty, found an empty list"],
    ["sft:\n  steps: many\n", 'a.yaml:2: sft.steps: expected a whole number from 1, found the text "many"'],
    [
      "sft:\n  steps: 1_000\n",
      'a.yaml:2: sft.steps: expected a whole number from 1, found the text "1_000"; write 1000',
    ],
    ["sft:\n  steps: 1.5\n", "a.yaml:2: sft.steps: expected a whole number from 1, found 1.5"],
    ["sft:\n  learningRate: .nan\n", "a.yaml:2: sft.learningRate: expected a number above 0, found NaN"],
    ["sft:\n  warmup: 5\n", "a.yaml:2: sft.warmup: expected a number from 0 to 1, found 5"],
    ["ppo:\n  topP: 0\n", "a.yaml:2: ppo.topP: expected a number above 0 to 1, found 0"],
    ["ppo:\n  valueClip: off\n", 'a.yaml:2: ppo.valueClip: expected a number above 0, or null, found the text "off"'],
    [
      "ppo:\n  whitenRewards: yes\n",
      'a.yaml:2: ppo.whitenRewards: expected true or false, found the text "yes"; write true',
    ],
    [
      "sft:\n  schedule: cosin\n",
      'a.yaml:2: sft.schedule: expected one of constant, linear, cosine, step, found the text "cosin"; did you mean cosine?',
    ],
    ["name: 123\n", 'a.yaml:1: name: expected text, found 123; write "123"'],
    [
      "name: a b\n",
      'a.yaml:1: name: expected letters, digits, dots, dashes and underscores only, no dot or dash first, found the text "a b"',
    ],
    [
      "name: ..\n",
      'a.yaml:1: name: expected letters, digits, dots, dashes and underscores only, no dot or dash first, found the text ".."',
    ],
    ["workspace: ''\n", "a.yaml:1: workspace: expected text that is not empty, found empty text"],
    [
      "demo:\n",
      "a.yaml:1: demo: expected a section of keys and values, found nothing; write {} for all its defaults, or remove the key",
    ],
    [
      "sft:\n  data: rows.jsonl\n",
      'a.yaml:2: sft.data: expected a section of keys and values, found the text "rows.jsonl"',
    ],
    [
      "ppo:\n  safety:\n    categories:\n      mine: []\n",
      "a.yaml:4: ppo.safety.categories.mine: expected a list that is not empty, found an empty list",
    ],
    [
      "ppo:\n  safety:\n    categories:\n      a/b: [c]\n",
      'a.yaml:4: the name "a/b" in ppo.safety.categories is not allowed: letters, digits, dots, dashes and underscores only',
    ],
    [
      "sft:\n  data:\n    path: x\n    fields: {promt: question}\n",
      'a.yaml:4: unknown field "promt" in sft.data.fields; did you mean prompt?',
    ],
    [
      "ppo:\n  prompts:\n    path: x\n    fields: {completion: answer}\n",
      'a.yaml:4: unknown field "completion" in ppo.prompts.fields; it renames one of prompt, messages, reference, kind',
    ],
  ])("%j", (text, message) => {
    // Everything else that the text lacks is reported as well.
    expect(messageFor(text).split("\n")).toContain(message);
  });
});

describe("all mistakes come in one round", () => {
  const folder = mkdtempSync(join(tmpdir(), "ballast-mistakes-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "a.yaml");
  const load = (text: string, overrides: string[], command?: "run" | "ppo") => {
    writeFileSync(file, text);
    const { message } = failureOf(() => loadConfig(file, overrides, command === undefined ? {} : { command }));
    return message
      .replaceAll(`${relative(".", folder)}/`, "")
      .replaceAll(`${folder}/`, "")
      .split("\n");
  };

  it("types, contradictions, empty values, files, folders, rules, of the file and of overrides", () => {
    writeFileSync(join(folder, "rules.yaml"), "rules:\n  - id: odd\n    tier: 9\n");
    mkdirSync(join(folder, "folder"));
    const text = `seed: -1
model: {path: gone}
sft: {data: {path: folder}, stepz: 3, steps: 5, steps: 6}
reward: {data: {path: gone.jsonl}, from: a.yaml}
ppo:
  prompts: {path: rules.yaml}
  sequences: 10
  minibatches: 4
  topK: 5
  valueClip:
control: {rules: rules.yaml}
`;
    const lines = load(text, ["ppo.epochs=", "ppo.rewards.7.weight=1", "nonsense", "ppo.lambda=2"], "run");
    const start = (of: string) => lines.filter((line) => line.startsWith(of)).map((line) => line.slice(of.length));
    expect(lines[0]).toBe(`${lines.length - 1} mistakes in the configuration`);
    expect(start("override ")).toEqual([
      "ppo.epochs=: there is nothing after the =",
      "nonsense: expected key=value",
      "ppo.rewards.7.weight=1: ppo.rewards is a list of 1; its entries are ppo.rewards.0 and on",
      "ppo.lambda=2: ppo.lambda: expected a number from 0 to 1, found 2",
    ]);
    expect(start("a.yaml:1: ")).toEqual(["seed: expected a whole number from 0, found -1"]);
    expect(start("a.yaml:2: ")).toEqual([expect.stringMatching(/^model.path: there is no folder gone/)]);
    expect(start("a.yaml:3: ")).toEqual([
      'the key "steps" is given twice in the same section; keep one of them',
      'unknown key "stepz" in sft; did you mean steps?',
      "sft.data.path: folder is a folder, not a file",
    ]);
    expect(start("a.yaml:4: ")).toEqual([
      "reward.data.path: there is no file gone.jsonl",
      "reward.from: a.yaml is a file, not a folder",
    ]);
    expect(start("a.yaml:5: ")).toEqual([expect.stringMatching(/^ppo has no objective/)]);
    expect(start("a.yaml:7: ")).toEqual([expect.stringMatching(/^ppo.sequences 10 is not divisible by 4 minibatches/)]);
    expect(start("a.yaml:9: ")).toEqual([expect.stringMatching(/^ppo.topK 5 truncates/)]);
    expect(start("a.yaml:10: ")).toEqual([
      "ppo.valueClip: there is nothing after the colon; write null if that is meant, or remove the key for its default",
    ]);
    expect(start("rules.yaml:2: ")).not.toEqual([]);
  });

  it("but no echo of one in another", () => {
    const echoes = (text: string, overrides: string[] = []) => load(`demo: {}\n${text}`, overrides).length;
    expect(echoes("sft: {dta: {path: x}}")).toBe(1);
    expect(echoes("sft: {}\nppo: {sequences: 10.5, minibatches: 4}\nreward: {}")).toBe(1);
    expect(echoes("sft: {}\nppo: {rewards: [{kind: modl}]}")).toBe(1);
    expect(
      load("objectiv: when a, prefer b\nmodel: {path: .}\nppo: {prompts: {pth: x}, rewards: [{kind: exact}]}", []),
    ).toHaveLength(4);
  });

  it("a broken file's together with those of overrides", () => {
    expect(load("a: [\n", ["x", "ppo.epochs="]).slice(1)).toEqual([
      "override x: expected key=value",
      "override ppo.epochs=: there is nothing after the =",
      expect.stringMatching(/^a.yaml:2: not valid YAML/),
    ]);
  });

  it("a model's folder is missing if nothing of this run can make it", () => {
    const ppo = (policy: string) =>
      `name: my\nworkspace: ${folder}\ndemo: {}\nsft: {}\nppo: {policy: ${policy}, rewards: [{kind: exact}]}\n`;
    expect(load(ppo("elsewhere"), [], "run")[0]).toMatch(
      /^a.yaml:5: ppo.policy: there is no folder elsewhere; an earlier/,
    );
    writeFileSync(file, ppo("my-3/sft/final"));
    expect(loadConfig(file, [], { command: "run" }).warnings).toHaveLength(2);
    expect(load(ppo("my-3/sft/final"), [], "ppo")[0]).toContain("there is no folder my-3/sft/final");
    writeFileSync(file, "demo: {}\nsft: {}\nreward: {from: elsewhere}\n");
    expect(loadConfig(file).warnings).toHaveLength(1);
  });
});

describe("a model's URI", () => {
  const text = (tokenizer: string) =>
    `demo: {}\n${tokenizer}model: {path: "toy://base/1"}\nppo: {reference: "x+y://../r", critic: here, rewards: [{kind: model, path: "toy://judge"}]}\n`;
  const given = "tokenizer: {kind: file, path: .}\n";

  it("is not a path: it is neither resolved nor looked for, and recorded as it is", () => {
    const { config, warnings } = parseConfig(text(given), "runs/a.yaml");
    const uris = {
      model: { path: "toy://base/1" },
      ppo: { reference: "x+y://../r", rewards: [{ path: "toy://judge" }] },
    };
    expect(config).toMatchObject(uris);
    expect(withModelSizes(config)).toEqual(config);
    expect(config.ppo!.critic).toBe("runs/here");
    expect(parseResolvedConfig(recordedConfig(config, "/runs/one"), "/runs/one")).toMatchObject(uris);
    expect(warnings.filter((text) => text.includes("://"))).toEqual([
      expect.stringContaining(
        "ppo.rewards.0: toy://judge is a URI and has no reward.json: its scores are not normalised",
      ),
    ]);
  });

  it("has no tokenizer", () => {
    const message = messageFor(text(""));
    expect(message).toContain(
      "toy://base/1 is a URI, and a tokenizer is read from a folder: set tokenizer.kind to file",
    );
    expect(messageFor(text('tokenizer: {kind: file, path: "toy://t"}\n'))).toContain("toy://t is a URI, and");
  });
});

it("lists several mistakes together, by line", () => {
  const text = "seed: -1\nsft:\n  data: {pth: x}\n  steps: no\nnme: x\n";
  expect(messageFor(text).split("\n")).toEqual([
    "5 mistakes in the configuration",
    "a.yaml:1: seed: expected a whole number from 0, found -1",
    "a.yaml:3: sft.data needs the key path: text, or a list",
    'a.yaml:3: unknown key "pth" in sft.data; did you mean path?',
    'a.yaml:4: sft.steps: expected a whole number from 1, found the text "no"',
    'a.yaml:5: unknown key "nme"; did you mean name?',
  ]);
});

describe("values", () => {
  it("reads YAML 1.2's numbers", () => {
    const { config } = parseConfig(
      `${demo}sft: {learningRate: 1e-4, epsilon: 1.0E-8, steps: 012, weightDecay: .5}\n`,
      "a.yaml",
    );
    expect(config.sft).toMatchObject({ learningRate: 1e-4, epsilon: 1e-8, steps: 12, weightDecay: 0.5 });
  });

  it("fills in defaults, and no stage that is not there", () => {
    const { config, warnings } = parseConfig(`${demo}sft: {}\n`, "a.yaml");
    expect(config).toMatchObject({ seed: 1, workspace: "runs", model: { width: 128 }, sft: { steps: 300, keep: 2 } });
    expect([config.reward, config.ppo, warnings]).toEqual([undefined, undefined, []]);
  });

  it("takes the tokenizer of the model that the first stage starts from", () => {
    const tokenizerOf = (text: string) => parseConfig(`${demo}${text}`, "a.yaml").config.tokenizer;
    expect(tokenizerOf("sft: {}\n")).toEqual({ kind: "byte", vocabularySize: 8192 });
    expect(tokenizerOf("model: {path: m}\nsft: {}\n")).toMatchObject({ kind: "file", path: "m" });
    expect(tokenizerOf("ppo: {policy: p, rewards: [{kind: exact}]}\n")).toMatchObject({ kind: "file", path: "p" });
    expect(tokenizerOf("reward: {from: r}\nppo: {policy: p}\n")).toMatchObject({ kind: "file", path: "r" });
    expect(tokenizerOf("tokenizer: {kind: file, path: t}\nsft: {}\n")).toMatchObject({ kind: "file", path: "t" });
    expect(tokenizerOf("tokenizer: {kind: word}\nsft: {}\n")).toMatchObject({ kind: "word" });
  });

  it("weighs the value loss by 1 on a shared trunk", () => {
    const valueCoefOf = (keys: string) =>
      parseConfig(`${demo}sft: {}\nreward: {}\nppo: {${keys}}\n`, "a.yaml").config.ppo?.valueCoef;
    expect(valueCoefOf("")).toBeUndefined();
    expect(valueCoefOf("criticKind: shared")).toBe(1);
    expect(valueCoefOf("criticKind: shared, valueCoef: 0.3")).toBe(0.3);
  });

  it("needs no file", () => {
    expect(loadConfig(null, ["seed=7"]).config.seed).toBe(7);
    expect(failureOf(() => loadConfig(null, ["sft.steps=3"])).message).toBe(
      "override sft.steps=3: sft has no demonstrations: give sft.data.path, a file of rows, or a section demo",
    );
  });
});

describe("overrides", () => {
  const text = `${demo}sft: {}\nreward: {}\nppo:\n  rewards:\n    - kind: model\n    - {kind: length, max: 9}\n`;
  const load = (...overrides: string[]) => parseConfig(text, "a.yaml", overrides).config;

  it("set values by path, list entries by index, the last one winning", () => {
    const config = load("ppo.learningRate=1e-4", "ppo.rewards.1.weight=2", "seed=3", "seed=4", "ppo.kl={coef: 0.1}");
    expect(config.ppo).toMatchObject({ learningRate: 1e-4, kl: { coef: 0.1 } });
    expect(config.ppo?.rewards.map(({ weight }) => weight)).toEqual([1, 2]);
    expect(config.seed).toBe(4);
  });

  it("add an entry to a list, and change one of a default list", () => {
    expect(load("ppo.rewards.2={kind: exact, weight: 3}").ppo?.rewards[2]).toEqual({ kind: "exact", weight: 3 });
    const { config } = parseConfig(`${demo}sft: {}\nreward: {}\nppo: {}\n`, "a.yaml", ["ppo.rewards.0.weight=2"]);
    expect(config.ppo?.rewards).toEqual([{ kind: "model", weight: 2 }]);
  });

  it("take null for a value if it is one, and else remove the key", () => {
    expect(load("ppo.maxGradNorm=null").ppo?.maxGradNorm).toBeNull();
    expect(load("sft.steps=3", "sft.steps=null").sft?.steps).toBe(300);
    expect(load("ppo=null").ppo).toBeUndefined();
    expect(load("sft=null", "sft.steps=5").sft?.steps).toBe(5);
  });

  it("take text as it stands", () => {
    const config = load(
      "name=007",
      "objective=when a: b, say c=d",
      "ppo.rewards.1={kind: pattern, pattern: x}",
      "ppo.rewards.1.pattern=^a: [bc]$",
    );
    expect(config).toMatchObject({ name: "007", objective: "when a: b, say c=d" });
    expect(config.ppo?.rewards[1]).toMatchObject({ pattern: "^a: [bc]$" });
    expect(load("objective='quoted'").objective).toBe("quoted");
    expect(load('objective=""').objective).toMatch(/^When /);
    expect(load("objective=#1: be brief # always").objective).toBe("#1: be brief # always");
    expect(load("objective=[draft] be brief").objective).toBe("[draft] be brief");
  });

  it("do not change what an alias shares", () => {
    const shared = `${demo}sft: &s {steps: 5}\nreward: *s\n`;
    const { config } = parseConfig(shared, "a.yaml", ["reward.steps=9"]);
    expect([config.sft?.steps, config.reward?.steps]).toEqual([5, 9]);
  });

  it.each([
    [["ppo.epochs"], "override ppo.epochs: expected key=value"],
    [["=3"], "override =3: expected key=value"],
    [["ppo.epochs="], "override ppo.epochs=: there is nothing after the ="],
    [["ppo.dualClip=  "], "override ppo.dualClip=  : there is nothing after the ="],
    [["objective="], "override objective=: there is nothing after the ="],
    [['model.path=""'], 'override model.path="": model.path: expected text that is not empty, found empty text'],
    [["ppo.dualClip=# none"], "override ppo.dualClip=# none: there is no value before the comment"],
    [["ppo..epochs=3"], "override ppo..epochs=3: expected key=value"],
    [["ppo.epoch=3"], 'override ppo.epoch=3: unknown key "epoch" in ppo; did you mean epochs?'],
    [
      ["engine.threads=1"],
      'override engine.threads=1: unknown key "threads" in engine; did you mean threads outside engine?',
    ],
    [["po.epochs=3"], 'override po.epochs=3: unknown key "po"; did you mean ppo?'],
    [
      ["ppo.epochs=many"],
      'override ppo.epochs=many: ppo.epochs: expected a whole number from 1, found the text "many"',
    ],
    [["ppo.epochs=[1"], /^override ppo.epochs=\[1: not valid YAML: /],
    [["seed.x=3"], "override seed.x=3: seed has no keys"],
    [
      ["ppo.rewards.5.weight=3"],
      "override ppo.rewards.5.weight=3: ppo.rewards is a list of 2; its entries are ppo.rewards.0 and on",
    ],
    [["ppo.rewards.last.weight=3"], /is a list of 2/],
    [
      ["ppo.rewards.1.max=null"],
      "override ppo.rewards.1.max=null: ppo.rewards.1 needs the key max: a whole number from 1",
    ],
    [
      ["ppo.minibatches=5"],
      "override ppo.minibatches=5: ppo.sequences 512 is not divisible by 5 minibatches; try 510 or 515",
    ],
  ])("name themselves in errors: %j", (overrides, message) => {
    const found = messageFor(text, overrides);
    if (typeof message === "string") expect(found).toBe(message);
    else expect(found).toMatch(message);
  });

  it("leave a mistake of the file to the file", () => {
    expect(messageFor("demo: {}\nsft: 5\n", ["sft.steps=3"])).toBe(
      "a.yaml:2: sft: expected a section of keys and values, found 5",
    );
  });
});

describe("paths", () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
  /** A folder with `configs/a.yaml` and the named files. */
  function place(text: string, ...files: string[]): string {
    const folder = mkdtempSync(join(tmpdir(), "ballast-config-"));
    folders.push(folder);
    mkdirSync(join(folder, "configs"));
    mkdirSync(join(folder, "data"));
    writeFileSync(join(folder, "configs", "a.yaml"), text);
    for (const file of files) writeFileSync(join(folder, file), "");
    return folder;
  }

  it("in a file are relative to it, in an override to the current directory", () => {
    const folder = place(
      "sft: {data: {path: ../data/rows.jsonl}}\nworkspace: out\n",
      "data/rows.jsonl",
      "data/held.jsonl",
    );
    const held = relative(".", join(folder, "data/held.jsonl"));
    const { config } = loadConfig(join(folder, "configs/a.yaml"), [`sft.evaluation.path=${held}`]);
    expect(config.sft?.data?.path).toBe(relative(".", join(folder, "data/rows.jsonl")));
    expect(config.sft?.evaluation?.path).toBe(held);
    expect(config.workspace).toBe("out");
  });

  it("of a previous experiment move with the file, and its id stays", () => {
    const previous = (text: string) => {
      const { config } = parseConfig(`experiment: {stage: 2, previous: ${text}}`, "configs/b.yaml");
      return config.experiment?.previous;
    };
    expect(previous("a.yaml")).toBe("configs/a.yaml");
    expect(previous("../runs/a-1")).toBe("runs/a-1");
    expect(previous("a-1")).toBe("a-1");
  });

  it("are recorded relative to the run, and survive its move together with them", () => {
    const folder = place("sft: {data: {path: ../data/rows.jsonl}}\n", "data/rows.jsonl");
    const { config } = loadConfig(join(folder, "configs/a.yaml"));
    const json = recordedConfig(config, join(folder, "runs/x-1"));
    expect(JSON.parse(json).sft.data.path).toBe("../../data/rows.jsonl");
    expect(parseResolvedConfig(json, join(folder, "runs/x-1"))).toEqual(config);
    expect(parseResolvedConfig(json, "/elsewhere/runs/x-1").sft?.data?.path).toBe(
      relative(".", "/elsewhere/data/rows.jsonl"),
    );
  });

  it("that lead nowhere are errors for data and code, warnings for models", () => {
    const folder = place(
      "ppo:\n  policy: ../none\n  prompts: {path: no.jsonl}\n  rewards:\n    - kind: function\n      path: reward.ts\n    - {kind: model, path: /none}\nobjective: when a, prefer b\n",
      "configs/reward.ts",
    );
    const file = join(folder, "configs/a.yaml");
    const here = relative(".", join(folder, "configs"));
    expect(failureOf(() => loadConfig(file)).message).toBe(
      `${file}:3: ppo.prompts.path: there is no file ${here}/no.jsonl`,
    );
    expect(
      failureOf(() => loadConfig(file, ["ppo.rewards.0.path=gone.ts", "ppo.prompts=null", "demo={}"])).message,
    ).toBe("override ppo.rewards.0.path=gone.ts: ppo.rewards.0.path: there is no file gone.ts");
    const { warnings } = loadConfig(file, [`ppo.prompts.path=${file}`]);
    expect(warnings).toEqual([
      `${file}:2: ppo.policy: there is no folder ${relative(".", join(folder, "none"))}`,
      `${file}:7: ppo.rewards.1.path: there is no folder /none`,
    ]);
  });

  it("meant from the current directory are recognised", () => {
    const folder = place("demo: {}\nmodel: {path: src/config}\nsft: {}\n");
    const file = join(folder, "configs/a.yaml");
    const meant = relative(join(folder, "configs"), "src/config");
    expect(failureOf(() => loadConfig(file)).message).toContain(
      `paths are relative to the configuration's folder: write ${meant}`,
    );
  });

  it("of a configuration that cannot be read", () => {
    expect(failureOf(() => loadConfig("none.yaml")).message).toBe("there is no configuration none.yaml");
    expect(failureOf(() => loadConfig("examples/helpdesk/pipeline")).hint).toBe(
      "Did you mean examples/helpdesk/pipeline.yaml?",
    );
    expect(failureOf(() => loadConfig("src")).message).toMatch(/^cannot read the configuration src: /);
  });
});

describe("a recorded configuration", () => {
  const recordedOf = (text: string) =>
    JSON.parse(recordedConfig(withModelSizes(parseConfig(text, "a.yaml").config), "."));

  it("shows the sizes and the tokenizer of the folder that the model comes from, not defaults", () => {
    const folder = mkdtempSync(join(tmpdir(), "ballast-model-"));
    const sizes = { vocab_size: 50257, n_positions: 1024, n_embd: 768, n_layer: 12, n_head: 12 };
    writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "gpt2", ...sizes }));
    const model = { layers: 12, width: 768, heads: 12, context: 1024, tieEmbeddings: true };
    for (const text of [
      `demo: {}\nmodel: {path: ${folder}}\nsft: {}\n`,
      `demo: {}\nppo: {policy: ${folder}, rewards: [{kind: exact}]}\n`,
      `demo: {}\nreward: {from: ${folder}}\n`,
    ]) {
      const recorded = recordedOf(text);
      expect(recorded.model).toMatchObject(model);
      expect(recorded.tokenizer).toEqual({ kind: "file", path: folder });
    }
    writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "bert", ...sizes }));
    expect(() => recordedOf(`demo: {}\nmodel: {path: ${folder}}\nsft: {}\n`)).toThrow(/only gpt2, .* are supported/);
    rmSync(folder, { recursive: true });
  });

  it("shows no default that has no effect, and all that have", () => {
    const sft = recordedOf("demo: {}\nsft: {}\n");
    expect(sft.tokenizer).toEqual({ kind: "byte" });
    expect(sft).not.toHaveProperty("control");
    expect(sft.sft).not.toHaveProperty("stepEvery");
    expect(recordedOf("demo: {}\ntokenizer: {kind: word}\nsft: {schedule: step}\n")).toMatchObject({
      tokenizer: { vocabularySize: 8192 },
      sft: { stepFactor: 0.9, stepEvery: 500, evaluationShare: 0.05 },
    });
    const { ppo, reward } = recordedOf("demo: {}\nsft: {}\nreward: {}\nppo: {}\n");
    for (const key of ["penalty", "clipWide", "allowTruncatedSampling", "stepFactor"])
      expect(ppo).not.toHaveProperty(key);
    expect(Object.keys(ppo.kl)).toEqual(["in", "coef", "controller"]);
    expect(reward).not.toHaveProperty("evaluationShare");
    expect(reward.normalisationSamples).toBe(512);
    const penalty = recordedOf("demo: {}\nsft: {}\nreward: {}\nppo: {policyLoss: penalty, kl: {in: loss}}\n").ppo;
    expect(penalty.penalty).toEqual({ beta: 1, controller: "fixed" });
    expect(penalty.kl.estimator).toBe("k2");
    expect(penalty).not.toHaveProperty("clipLow");
  });

  it("that is damaged or of a different version is a checkpoint's error", () => {
    const { config } = parseConfig(demo, "a.yaml");
    const json = recordedConfig(config, "runs/a-1");
    const damaged = failureOf(() => parseResolvedConfig(json.slice(0, -20), "runs/a-1"));
    expect(damaged).toBeInstanceOf(CheckpointError);
    expect(damaged.message).toMatch(/^the recorded configuration in runs\/a-1 is damaged: /);
    const other = failureOf(() => parseResolvedConfig(json.replace('"seed"', '"sede"'), "runs/a-1"));
    expect(other.message).toBe(
      'the recorded configuration in runs/a-1 does not fit this version: unknown key "sede"; did you mean seed?',
    );
  });
});

const examples = readdirSync("examples", { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".yaml"),
);

it.each(examples)("examples/%s is in order", (name) => {
  const file = join("examples", name);
  expect(parseConfig(readFileSync(file, "utf8"), file).warnings).toEqual([]);
});

it("the pipeline in docs/config.md is in order", () => {
  const [, yaml] = /```yaml\n(.*?)```/s.exec(readFileSync("docs/config.md", "utf8"))!;
  expect(parseConfig(yaml!, "pipeline.yaml").warnings).toEqual([]);
});

it("PPO on the built-in task has the task's objective, and any other needs its own", () => {
  expect(parseConfig("demo: {}\nsft: {}\nreward: {}\nppo: {}\n", "a.yaml").config.objective).toMatch(/^When .* prefer/);
  expect(() =>
    parseConfig("model: {path: m}\nppo: {prompts: {path: p}, rewards: [{kind: exact}]}\n", "a.yaml"),
  ).toThrow("a.yaml:2: ppo has no objective");
});
