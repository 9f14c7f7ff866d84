/** The messages between the two threads: a call by the name of a verb, how far it is, that it is taken back, and its answer. */
import type { Engine, LossRequest, ModelId } from "../engine.ts";
import type { PassResult } from "../passes.ts";

/** The engine behind the thread: each of its gradients is one pass. */
export interface OnePassEngine extends Omit<Engine, "forwardBackward"> {
  forwardBackward(model: ModelId, loss: LossRequest): Promise<PassResult>;
}

export interface Call {
  readonly id: number;
  readonly verb: Exclude<keyof Engine, "deleteState">;
  readonly args: unknown[];
}

/** Takes back a call that tells how far it is: it then ends early, with an error that nobody waits for. */
export interface Cancel {
  readonly cancel: number;
}

export type Reply =
  | { readonly id: number; readonly progress: readonly [done: number, most: number] }
  | { readonly id: number; readonly result: unknown }
  | {
      readonly id: number;
      readonly error: { readonly kind: string; readonly message: string; readonly hint: string | undefined };
    };
