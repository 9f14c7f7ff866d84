/** Seconds by phase, and how much of them the engine's native runtime took. */
import type { Engine } from "../engine/engine.ts";
import type { MetricValues } from "../types/records.ts";

/** A stopwatch that runs from its creation. Phases are named as they end. */
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

  /** Ends a phase: its time is what passed since the previous one ended. */
  lap(phase: string): void {
    const now = performance.now();
    this.#seconds[phase] = (now - this.#phaseStarted) / 1000;
    this.#phaseStarted = now;
  }

  secondsOf(phase: string): number {
    return this.#seconds[phase] ?? Number.NaN;
  }

  /** `time/<phase>_s`, `time/total_s`, and the machine's figures: none of them repeats exactly. */
  async values(): Promise<MetricValues> {
    const { nativeSeconds, residentMb, deviceMb } = await this.#engine.usage();
    const total = (performance.now() - this.#started) / 1000;
    return {
      ...Object.fromEntries(Object.entries(this.#seconds).map(([phase, seconds]) => [`time/${phase}_s`, seconds])),
      "time/total_s": total,
      "machine/native_share": (nativeSeconds - this.#nativeAtStart) / total,
      "machine/resident_mb": residentMb,
      ...(deviceMb !== undefined && { "machine/device_mb": deviceMb }),
    };
  }
}
