/** `ballast init`: asks for what a run needs, looks at each answer as it is given, and writes a commented configuration. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { basename, dirname, extname, resolve } from "node:path";
import { templateSays } from "../../../config/index.ts";
import { objectiveFinding } from "../../../control/doctor/index.ts";
import { writeDurably } from "../../../util/durable.ts";
import { UsageError } from "../../../util/errors.ts";
import { shellWord } from "../../../util/platform.ts";
import { selfName } from "../../find-run.ts";
import type { Terminal } from "../../terminal.ts";
import { surveyLines } from "../data/survey-text.ts";
import { doctor } from "../doctor/index.ts";
import { plan } from "../plan/index.ts";
import { type Asking, ask, choose, type OpenedQuestions, questionsOnTerminal } from "./ask.ts";
import { type Answers, configText, type RewardChoice, templateFacts } from "./init-config.ts";
import { hardware, lookAtModel, modelLine, type SeenModel, templatesFor } from "./look.ts";
import { rewardOf, rewardsFor } from "./reward-choice.ts";
import { readRows, rowsNamed } from "./row-answer.ts";
import type { UnderstoodRows } from "./understood-rows.ts";

export interface InitOptions {
  readonly objective?: string;
  /** A model's folder, or `scratch`. */
  readonly model?: string;
  /** Files and patterns. */
  readonly data?: readonly string[];
  /** `prompt=question`: Ballast's name and the file's column. */
  readonly field?: readonly string[];
  /** `model`, `exact`, `last_number`, `none`, or the path of a function. */
  readonly reward?: string;
  readonly template?: string;
  readonly out?: string;
  /** Whether the file may be replaced. */
  readonly force?: boolean;
  /** Take the default for everything that is not given. */
  readonly yes?: boolean;
  /** Whether this machine's speed is measured. */
  readonly time: boolean;
  readonly terminal: Terminal;
  /** Opens the terminal for questions; null if nobody is there to answer. */
  readonly questions?: (() => OpenedQuestions) | null;
}

/** Returns 1 if the configuration was written but the doctor finds an error in it, or the run does not fit this machine. */
export async function init(options: InitOptions): Promise<number> {
  const { yes = false, terminal } = options;
  const { questions = process.stdin.isTTY && process.stderr.isTTY ? questionsOnTerminal : null } = options;
  if (options.template !== undefined) templateFacts(options.template);
  if (yes || questions === null) return finish(await fromOptions(options), options);
  const opened = questions();
  let found: Found;
  try {
    terminal.note("Enter takes the answer in brackets, Tab completes a path, Ctrl-C leaves without writing anything.");
    found = await fromQuestions(options, { readLine: opened.readLine, terminal });
  } finally {
    opened.close();
  }
  return finish(found, options);
}

type Found = Omit<Answers, "name"> & { readonly out: string };

const defaultOut = "my.yaml";

async function fromOptions(options: InitOptions): Promise<Found> {
  const { objective, data = [], field = [], out = defaultOut, terminal } = options;
  const missing = [...(objective === undefined ? ["--objective"] : []), ...(data.length === 0 ? ["--data"] : [])];
  if (missing.length > 0)
    throw new UsageError(
      `there is no terminal to ask on, and ${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} not given`,
      'All options: ballast init --objective "when X, prefer Y over Z" --data FILE [--data FILE] [--field prompt=COLUMN] [--model FOLDER] [--reward model|exact|last_number|none|FILE.ts] [--template NAME] [--out FILE.yaml].',
    );
  checkPlace(out, options);
  const model = modelOf(options.model);
  const rows = readRows(data, rowsNamed(field).fields, { reader: model ?? {}, terminal });
  const reward = options.reward === undefined ? defaultReward(rows) : await rewardOf(options.reward, rows);
  const { torch } = hardware();
  const template = options.template ?? templatesFor({ parameters: model?.parameters ?? null, torch })[0]!;
  return { objective: objective!, model, rows, reward, template, torch, out };
}

function defaultReward(rows: readonly UnderstoodRows[]): RewardChoice {
  const [first] = rewardsFor(rows);
  if (first !== undefined) return first.value;
  throw new UsageError(
    "nothing in these rows says how answers are judged: there are no pairs, and no references that an answer could equal",
    "Give --reward FILE.ts, a function of yours (examples/rewards/), or --reward none to fine-tune only.",
  );
}

async function fromQuestions(options: InitOptions, asking: Asking): Promise<Found> {
  const { terminal } = asking;
  const objective =
    options.objective ??
    (await ask(asking, {
      title: "What should the model learn? One sentence: when X, prefer Y over Z.",
      help: ["It heads every report, and you will judge the run by it."],
      use: (answer) => {
        const finding = objectiveFinding(answer);
        if (finding !== null) terminal.note(`note: ${finding.what}; ${finding.remedy}`);
        return answer;
      },
    }));
  const model =
    options.model !== undefined
      ? modelOf(options.model)
      : await ask(asking, {
          title: "Which model? The folder of a Hugging Face model, or hf://ORG/NAME; scratch makes a small new one.",
          otherwise: "scratch",
          use: (answer) => {
            const found = modelOf(answer);
            if (found) terminal.note(modelLine(found));
            return found;
          },
        });
  const rows = options.data
    ? readRows(options.data, rowsNamed(options.field ?? []).fields, { reader: model ?? {}, terminal })
    : await askForRows(asking, model);
  const reward = options.reward === undefined ? await askForReward(asking, rows) : await rewardOf(options.reward, rows);
  const machine = hardware();
  const names = templatesFor({ parameters: model?.parameters ?? null, torch: machine.torch });
  const template =
    options.template ??
    (await choose(asking, {
      title: `Which settings? This machine: ${machine.says}.`,
      choices: names.map((name) => ({ name, says: templateSays(name), value: name })),
    }));
  const out =
    options.out ??
    (await ask(asking, {
      title: "Where should the configuration go?",
      otherwise: defaultOut,
      use: (answer) => {
        const file = /\.ya?ml$/.test(answer) || isFolder(answer) ? answer : `${answer}.yaml`;
        checkPlace(file, options);
        return file;
      },
    }));
  checkPlace(out, options);
  return { objective, model, rows, reward, template, torch: machine.torch, out };
}

async function askForRows(asking: Asking, model: SeenModel | null): Promise<UnderstoodRows[]> {
  const { terminal } = asking;
  let rows: UnderstoodRows[] = [];
  const more = (answer: string): UnderstoodRows[] => {
    const { files, fields } = rowsNamed(answer.match(/"[^"]*"|'[^']*'|\S+/g) ?? []);
    const found = readRows(files, fields, { reader: model ?? {}, terminal });
    for (const one of found)
      for (const line of surveyLines({ name: one.paths.join(", "), ...one.survey }, asTerminalOfNotes(terminal)))
        terminal.note(`  ${line}`);
    return found;
  };
  rows = await ask(asking, {
    title: "Which files hold your rows? Demonstrations, pairs of a better and a worse answer, or prompts.",
    help: [
      "JSONL, JSON, CSV, Parquet or text, or a pattern such as data/*.parquet; several with spaces between them.",
      "If columns have other names, say so after the files: my.csv prompt=question completion=answer",
    ],
    use: more,
  });
  for (;;) {
    const added = await ask(asking, {
      title: "More files, such as pairs beside demonstrations?",
      otherwise: "no",
      use: (answer) => (/^no?$/i.test(answer) ? null : more(answer)),
    });
    if (added === null) return rows;
    rows = [...rows, ...added];
  }
}

/** Reports of results, printed among the notes. */
function asTerminalOfNotes({ noteColours, noteWidth }: Terminal): Pick<Terminal, "outColours" | "outWidth"> {
  return { outColours: noteColours, outWidth: () => noteWidth() - 2 };
}

async function askForReward(asking: Asking, rows: readonly UnderstoodRows[]): Promise<RewardChoice> {
  const choices = [
    ...rewardsFor(rows),
    {
      name: "function",
      says: "a function of yours in TypeScript: (prompt, response, reference) to a number",
      value: "function" as const,
    },
    { name: "none", says: "only fine-tune for now", value: null },
  ];
  const chosen = await choose<RewardChoice | "function">(asking, { title: "How are answers judged?", choices });
  if (chosen !== "function") return chosen;
  return ask(asking, {
    title: "Which file has the function?",
    help: [
      "examples/rewards/contains.ts is one to start from: export default ({ prompt, response, reference }) => number",
    ],
    use: (answer) => rewardOf(answer, rows),
  });
}

function modelOf(answer: string | undefined): SeenModel | null {
  return answer === undefined || answer === "scratch" ? null : lookAtModel(answer);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Throws UsageError if the file cannot go there: after the questions it would cost the answers. */
function checkPlace(out: string, { force = false }: InitOptions): void {
  if (isFolder(out)) throw new UsageError(`${out} is a folder`, "Give the name of a file, such as my.yaml.");
  if (existsSync(out) && !force)
    throw new UsageError(`there is already a file ${out}`, "Give a different name, or --force to replace it.");
  const folder = dirname(resolve(out));
  if (!existsSync(folder))
    throw new UsageError(`there is no folder ${folder}`, "Create it first, or give a different place.");
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new UsageError(`the folder ${folder} cannot be written to`, "Give a different place.");
  }
}

async function finish({ out, ...found }: Found, { terminal, time }: InitOptions): Promise<number> {
  const name =
    basename(out, extname(out))
      .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/^[.-]+/, "") || "my";
  const text = configText({ ...found, name }, { out, template: templateFacts(found.template) });
  writeDurably(out, text);
  const c = terminal.outColours;
  terminal.out(`${c.green("✓")} ${out}`);
  let code = 0;
  if (!found.torch && found.template !== "gpu24") {
    terminal.out("");
    code = await plan({ file: out, overrides: [], time, terminal });
  }
  if (found.reward !== null) {
    terminal.out("");
    code = Math.max(code, await doctor({ subject: out, overrides: [], workspace: "runs", model: true, terminal }));
  }
  terminal.out("");
  terminal.out(c.bold("Next:"));
  const file = shellWord(out);
  const steps = [
    [`${selfName()} run ${file} --dashboard`, "train, and watch it in a browser"],
    ...(found.reward === null ? [] : [[`${selfName()} next ${name}-1`, "then: did it work, and what to try next"]]),
  ];
  const width = Math.max(...steps.map(([command]) => command!.length));
  for (const [command, says] of steps) terminal.out(`  ${command!.padEnd(width)}  ${says}`);
  return code;
}
