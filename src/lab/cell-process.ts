/** The process that does cells, one after the other, each with one thread. Ctrl-C reaches it too, but only its owner tells it to stop. */
import { Interrupted, messageOf } from "../util/errors.ts";
import { endingSignals } from "../util/platform.ts";
import type { FromProcess, ToProcess } from "./cell-messages.ts";
import { type WorkName, works } from "./works.ts";

let stopped = false;
const send = (message: FromProcess) => process.send?.(message);

for (const signal of endingSignals()) process.on(signal, () => {});
process.on("disconnect", () => process.exit(1));
process.on("message", async (message: ToProcess) => {
  if (message.kind === "stop") {
    stopped = true;
    return;
  }
  const { cell, folder, results } = message;
  const startedAt = performance.now();
  let toldAt = 0;
  try {
    const work = works[cell.work as WorkName] as (input: unknown, tools: unknown) => Promise<unknown>;
    const result = await work(cell.input, {
      folder,
      name: cell.name,
      results,
      onProgress: ({ values: _, ...progress }: { readonly values: unknown } & Record<string, unknown>) => {
        if (performance.now() - toldAt < 200) return;
        toldAt = performance.now();
        send({ kind: "progress", progress: progress as never });
      },
      onNote: (text: string) => send({ kind: "note", text }),
      interrupted: () => stopped,
    });
    send({ kind: "done", result, seconds: (performance.now() - startedAt) / 1000 });
  } catch (error) {
    if (error instanceof Interrupted) send({ kind: "interrupted" });
    else send({ kind: "failed", reason: messageOf(error) });
  }
});
send({ kind: "ready" });
