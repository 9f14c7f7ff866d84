/** The processes of the PyTorch engine on a machine that does not train itself: they join those of the one that does, and end with them. */
import { UsageError } from "../../util/errors.ts";
import { defaultThreads } from "../../util/threads.ts";
import { type ProcessOptions, rendezvousOf } from "./rendezvous.ts";
import { packageFolder, pythonOf } from "./torch-environment.ts";
import { endedWithOthers, endOf, notStarted, type RankEnd } from "./worker-end.ts";
import { startRank } from "./worker-process.ts";

export interface JoinOptions extends Required<Omit<ProcessOptions, "launch">> {
  /** Which of the machines this is, from 1; the one that trains is 0. */
  readonly node: number;
  readonly python?: string | undefined;
  /** Threads on this machine; 0 uses the physical cores. */
  readonly threads: number;
}

/** Resolves once all processes have ended with those of another machine. Throws what ended the first of them, if that was something else, and UsageError if no run came to the rendezvous within an hour. */
export async function joinRanks({ node, nodes, processes, python, threads, rendezvous }: JoinOptions): Promise<void> {
  if (node >= nodes)
    throw new UsageError(
      `there is no machine ${node} of ${nodes}`,
      `The one that trains is 0, the others are 1 to ${nodes - 1}.`,
    );
  const place = await rendezvousOf({ processes, nodes, rendezvous }, node);
  const { remedy, ...program } = pythonOf(python);
  const ofEach = Math.max(1, Math.floor((threads || defaultThreads()) / processes));
  const options = { ...program, remedy, packageFolder, threads: ofEach, rendezvous: place };
  const children = Array.from({ length: processes }, (_, rank) => startRank(rank, options));
  const first = await Promise.race(
    children.map(
      (child, rank) =>
        new Promise<RankEnd>((resolve, reject) => {
          let errors = "";
          child.stderr?.on("data", (data) => {
            errors = (errors + data).slice(-8192);
          });
          child.on("error", (error) => reject(notStarted(error, { ...program, remedy })));
          child.on("close", (code, signal) => resolve({ rank, code, signal, errors }));
        }),
    ),
  );
  for (const child of children) child.kill("SIGKILL");
  if (!endedWithOthers(first)) throw endOf([first], { of: processes, remedy, answered: true });
}
