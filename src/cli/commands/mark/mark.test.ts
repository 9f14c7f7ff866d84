import { describe, expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import { runs } from "../runs/index.ts";
import { type MarkOptions, mark } from "./index.ts";

function marked() {
  const { workspace, store } = workspaceWithRun();
  const terminal = keptTerminal({ width: 140 });
  const ask = async (more: Partial<MarkOptions>) => {
    terminal.lines.length = 0;
    await mark({ run: "tiny-1", workspace, terminal, ...more });
    return terminal.lines.join("\n");
  };
  const list = async (more: object = {}) => {
    terminal.lines.length = 0;
    await runs({ workspace, terminal, ...more });
    return terminal.lines;
  };
  return { store, ask, list };
}

describe("ballast mark", () => {
  it("tags, notes and puts away, and shows what holds", async () => {
    const { ask } = marked();
    expect(await ask({})).toBe("tiny-1: no name, no tags, no note");
    expect(await ask({ tag: ["good", "long run"], note: " the one in the report " })).toBe(
      'tiny-1: tags good, long run; note "the one in the report"',
    );
    expect(await ask({ untag: ["good"], note: "", archive: true })).toBe("tiny-1: tags long run; archived");
    expect(JSON.parse(await ask({ unarchive: true, json: true }))).toEqual({
      run: "tiny-1",
      tags: ["long run"],
      note: "",
      name: "",
      archived: false,
    });
  });

  it("shows a name beside the id, which stays", async () => {
    const { ask, list } = marked();
    expect(await ask({ name: " Baseline, short " })).toBe('tiny-1: shown as "Baseline, short"');
    expect((await list()).join("\n")).toContain('tiny-1 "Baseline, short"');
    await expect(ask({ name: "x".repeat(61) })).rejects.toThrow("cannot be shown as a name");
    expect(await ask({ name: "" })).toBe("tiny-1: no name, no tags, no note");
  });

  it("counts the tags of one call, and writes none of them if they are too many", async () => {
    const { ask, store } = marked();
    const words = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `t${from + i}`);
    await ask({ tag: words(0, 19) });
    await expect(ask({ tag: words(19, 23) })).rejects.toThrow("20");
    expect(store.marks("tiny-1")).toHaveLength(19);
  });

  it.each([
    [{ tag: ["ok", ""] }, '"" is not a valid tag'],
    [{ tag: [" x"] }, '" x" is not a valid tag'],
    [{ tag: ["a\u202eb"] }, "is not a valid tag"],
    [{ tag: ["x".repeat(41)] }, "is not a valid tag"],
    [{ untag: ["god"] }, "tiny-1 has no tag god"],
    [{ tag: ["a"], untag: ["a"] }, "contradict each other"],
    [{ archive: true, unarchive: true }, "contradict each other"],
    [{ note: "x".repeat(4_001) }, "at most 4000 characters"],
  ])("refuses %j, and changes nothing", async (options, message) => {
    const { store, ask } = marked();
    store.addMark("tiny-1", { kind: "tag", value: "good", present: true });
    await expect(ask(options)).rejects.toThrow(message);
    expect(store.marks()).toHaveLength(1);
  });

  it("says which tag was meant", async () => {
    const { store, ask } = marked();
    store.addMark("tiny-1", { kind: "tag", value: "baseline", present: true });
    await expect(ask({ untag: ["baselien"] })).rejects.toMatchObject({ hint: "Did you mean baseline?" });
  });
});

describe("ballast runs", () => {
  it("shows tags if there are any, and what was put away only with --all", async () => {
    const { ask, list } = marked();
    expect((await list())[0]).not.toContain("tags");
    await ask({ tag: ["good", "long"] });
    const [head, row] = await list();
    expect(head).toMatch(/age {2}tags +objective$/);
    expect(row).toContain("good, long");
    await ask({ archive: true });
    expect(await list()).toEqual([
      expect.stringMatching(/^1 archived run is not shown: .* runs --all --workspace \S+$/),
    ]);
    expect((await list({ all: true }))[1]).toContain("created, archived");
    expect(await list({ json: true })).toEqual([]);
    expect(JSON.parse((await list({ json: true, all: true }))[0]!)).toMatchObject({
      tags: ["good", "long"],
      archived: true,
    });
  });
});
