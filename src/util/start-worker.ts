/** Starts worker threads from this package's own modules, which are TypeScript in a checkout and JavaScript when published. */
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts a worker thread that runs a module named without its extension, relative to the caller's `import.meta.url`.
 *
 * @example
 * const worker = startWorker("./start-worker", import.meta.url, { workerData: { threads: 2 } });
 */
export function startWorker(name: string, from: string, options: WorkerOptions = {}): Worker {
  const typescript = from.endsWith(".ts");
  const module = new URL(`${name}${typescript ? ".ts" : ".js"}`, from);
  return typescript ? startTypeScriptWorker(module, options) : new Worker(module, options);
}

/** Starts a worker thread that runs a TypeScript module, which may import TypeScript and JavaScript modules. */
function startTypeScriptWorker(module: URL, options: WorkerOptions = {}): Worker {
  // Loaders are registered per thread, and a worker's first module is read before any of its own code runs.
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const code = `import { register } from ${loader}; register(); await import(${JSON.stringify(module.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), options);
}
