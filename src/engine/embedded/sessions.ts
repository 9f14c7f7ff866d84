/** Compiled graphs by what they depend on: built on first use, kept until the engine closes. */
import type { Tensor } from "../../tensor/graph.ts";
import { Session } from "../../tensor/session.ts";

export class Sessions {
  readonly #threads: number;
  readonly #sessions = new Map<string, Promise<Session>>();
  #all: Session[] = [];

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** The session of a key (any JSON), compiled from the graph if it is new. */
  get(key: readonly unknown[], graph: () => Record<string, Tensor>): Promise<Session> {
    const text = JSON.stringify(key);
    let session = this.#sessions.get(text);
    if (session === undefined) {
      session = Session.compile(graph(), { threads: this.#threads }).then((compiled) => {
        this.#all.push(compiled);
        return compiled;
      });
      this.#sessions.set(text, session);
    }
    return session;
  }

  /** Seconds spent in the native runtime. */
  get seconds(): number {
    return this.#all.reduce((total, session) => total + session.seconds, 0);
  }

  async close(): Promise<void> {
    const all = this.#all;
    this.#all = [];
    this.#sessions.clear();
    for (const session of all) await session.release();
  }
}
