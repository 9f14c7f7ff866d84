/** Seconds by phase, and how much of them the engine's native runtime had. */
import type { Engine } from "../engine/engine.ts";
import type { MetricValues } from "../types/records.ts";

/** Runs from its creation. Phases are named in the order in which they end. */
export class Stopwatch {
  readonly #seconds: Record<string, number> = {};
  readonly #started = performance.now();
  #phaseStarted = this.#started;
  readonly #engine: Engine;
  readonly #nativeAtStart: number;

  private constructor(engine: Engine, nativeAtStart: number) {
    this.#engine = engine;
    this.#nativeAtStart = nativeAtStart;
  }

  static async start(engine: Engine): Promise<Stopwatch> {
    return new Stopwatch(engine, (await engine.usage()).nativeSeconds);
  }

  /** Ends a phase: what passed since the one before it. Returns its seconds. */
  lap(phase: string): number {
    const now = performance.now();
    const seconds = (now - this.#phaseStarted) / 1000;
    this.#phaseStarted = now;
    this.#seconds[phase] = seconds;
    return seconds;
  }

  /** `time/<phase>_s`, `time/total_s`, and the machine's figures: none of them is the same twice. */
  async values(): Promise<MetricValues> {
    const { nativeSeconds, residentMb } = await this.#engine.usage();
    const total = (performance.now() - this.#started) / 1000;
    return {
      ...Object.fromEntries(Object.entries(this.#seconds).map(([phase, seconds]) => [`time/${phase}_s`, seconds])),
      "time/total_s": total,
      "machine/native_share": (nativeSeconds - this.#nativeAtStart) / total,
      "machine/resident_mb": residentMb,
    };
  }
}
