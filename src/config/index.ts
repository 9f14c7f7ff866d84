/** The configuration: its schema, loading it, and comparing two. */
export { type Difference, differences } from "./differences.ts";
export { injected, withFaults } from "./faults.ts";
export { type Field, fields } from "./fields.ts";
export { type Loaded, loadConfig, parseConfig, parseResolvedConfig, recordedConfig, withModelSizes } from "./load.ts";
export * from "./schema.ts";
