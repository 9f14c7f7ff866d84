/** Transcripts keep to their columns, however wide the terminal, and never let a model's text act. */
import { describe, expect, it } from "vitest";
import { transcriptLines, transcriptTitles } from "./transcript.ts";
import { displayWidth } from "./width.ts";

const same = (text: string) => text;
const transcript = {
  prompt: "book the room",
  before: "done , the room is booked .",
  after: "which room do you mean ?",
};
const options = (width: number) => ({ width, titles: ["before", "after"] as [string, string], dim: same, bold: same });

describe("transcriptLines", () => {
  it("puts the answers side by side", () => {
    expect(transcriptLines(transcript, options(70))).toEqual([
      "> book the room",
      "  done , the room is booked .      │ which room do you mean ?",
    ]);
    expect(transcriptTitles(options(70))).toEqual(["  before                           │ after"]);
  });

  it("puts them below each other where it is narrow", () => {
    expect(transcriptLines(transcript, options(40))).toEqual([
      "> book the room",
      "  before done , the room is booked .",
      "  after  which room do you mean ?",
    ]);
    expect(transcriptTitles(options(40))).toEqual([]);
  });

  it("keeps to the width", () => {
    const long = { ...transcript, before: "word ".repeat(40), after: `${"x".repeat(90)} 日本語` };
    for (let width = 20; width <= 140; width++) {
      for (const line of transcriptLines(long, options(width))) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  it("cleans what the models wrote and says when they wrote nothing", () => {
    const lines = transcriptLines({ prompt: "a\x1b[2J", before: "\x1b]0;x\x07", after: "\u202eb" }, options(80)).join(
      "\n",
    );
    expect(lines).toContain("(nothing)");
    expect(lines).not.toContain("\x1b");
    expect(lines).not.toContain("\u202e");
  });
});
