/** `ballast tokenizer train`: a byte-level BPE tokenizer from the texts of files, as a folder that transformers reads. */
import { readFileSync } from "node:fs";
import { eachRow, guessUse, RowsError, textsOfRow } from "../../../data/index.ts";
import { createReport } from "../../../data/read-report.ts";
import { onDisk } from "../../../hub/index.ts";
import { buildTokenizer, type Tokenizer } from "../../../text/index.ts";
import { writeFolder } from "../../../trainer/atomic-folder.ts";
import { counted } from "../../../util/counted.ts";
import { messageOf, UsageError } from "../../../util/errors.ts";
import { remedyFor } from "../../../util/system-faults.ts";
import { jsonLine } from "../../json-line.ts";
import { refuseExisting } from "../../new-model-folder.ts";
import { shortPath } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";
import { fieldNames, withOption } from "../data/field-option.ts";

export interface TrainTokenizerOptions {
  readonly files: readonly string[];
  /** Largest vocabulary, special tokens and the 256 bytes included. */
  readonly vocab: number;
  /** The new folder. */
  readonly output: string;
  /** `prompt=question`: the file's names by Ballast's. */
  readonly field?: readonly string[];
  /** Tokens of one's own, after those that every tokenizer of Ballast's has. */
  readonly special?: readonly string[];
  /** A file with a Jinja template. */
  readonly chatTemplate?: string;
  readonly minCount?: number;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Writes the folder whole or not at all. Throws RowsError for rows that cannot be used, UsageError if the folder exists. */
export async function trainTokenizer(options: TrainTokenizerOptions): Promise<number> {
  const { vocab, output, special, chatTemplate, minCount, json = false, terminal } = options;
  refuseExisting(output);
  const template = chatTemplate === undefined ? undefined : templateIn(chatTemplate);
  const texts = textsIn(options);
  const tokenizer = buildTokenizer(
    {
      ...{ kind: "bpe", vocabularySize: vocab },
      ...(special && { specialTokens: special }),
      ...(template !== undefined && { chatTemplate: template }),
      ...(minCount !== undefined && { minCount }),
    },
    texts,
  );
  if (chatTemplate !== undefined) refuseEmptyTemplate(chatTemplate, tokenizer);
  await writeFolder({ folder: output, state: {}, write: async (folder) => tokenizer.save(folder) });
  let [characters, bytes, tokens] = [0, 0, 0];
  for (const text of texts) {
    characters += text.length;
    bytes += Buffer.byteLength(text);
    tokens += tokenizer.encode(text).length;
  }
  const size = tokenizer.vocabularySize;
  if (json)
    terminal.out(jsonLine({ folder: output, vocabulary: size, texts: texts.length, characters, bytes, tokens }));
  else {
    terminal.out(`${counted(size, "token")} from ${counted(texts.length, "text")} in ${shortPath(output)}`);
    terminal.out(`a token is ${(bytes / tokens).toFixed(2)} bytes of these texts`);
    if (size < vocab)
      terminal.note(
        `no pair of tokens occurs ${minCount ?? 2} times any more: ${size} of the ${vocab} tokens were made`,
      );
    terminal.note(terminal.noteColours.dim(`in a configuration: tokenizer: {kind: file, path: ${shortPath(output)}}`));
  }
  return 0;
}

function textsIn({ files, field }: TrainTokenizerOptions): string[] {
  const report = createReport();
  const source = { path: files.map(onDisk), fields: fieldNames(field), badRows: "skip" as const, report };
  const texts: string[] = [];
  const use = withOption(() => guessUse(source));
  eachRow(source, use, (row) => {
    for (const text of textsOfRow(row)) texts.push(text);
  });
  if (report.faults.length > 0) throw new RowsError(report.faults);
  return texts;
}

/** Refuses a template that leaves a user's message out, with which every prompt would be the same. */
function refuseEmptyTemplate(path: string, tokenizer: Tokenizer): void {
  const content = "a question";
  const rendered = tokenizer.decode(tokenizer.encodePrompt([{ role: "user", content }]));
  if (rendered.includes(content)) return;
  throw new UsageError(
    `the chat template ${path} leaves a user's message out: it renders "${content}" as "${rendered}"`,
    "Write {{ message.content }} in a loop over messages.",
  );
}

function templateIn(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the chat template ${path}: ${messageOf(error)}`, remedyFor(error));
  }
}
