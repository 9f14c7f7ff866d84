/** Runs the doctor on a new run's configuration for the dashboard, in a thread that the run never waits for. */
import { startWorker } from "../util/start-worker.ts";

export interface LookingDoctor {
  /** Ends the thread, finished or not. */
  close(): Promise<void>;
}

/** Writes `<folder>/doctor.json`, an array of findings. A failure leaves no file and does not affect the run. */
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
