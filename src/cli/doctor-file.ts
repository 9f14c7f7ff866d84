/** What the doctor says of a new run's configuration, for the dashboard: looked at beside the run, which never waits for it. */
import { startWorker } from "../util/start-worker.ts";

export interface LookingDoctor {
  /** Ends it, done or not. */
  close(): Promise<void>;
}

/** Writes `<folder>/doctor.json`, an array of findings. What goes wrong leaves no file, and the run alone. */
export function startDoctor(folder: string): LookingDoctor {
  const worker = startWorker("./commands/doctor/doctor-worker", import.meta.url, {
    workerData: { folder },
    stdout: true,
    stderr: true,
  });
  worker.on("error", () => {});
  worker.unref();
  return {
    close: async () => {
      await worker.terminate();
    },
  };
}
