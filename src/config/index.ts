/** The configuration: its schema, loading it, and comparing two. */

export * from "../settings/config-schema.ts";
export { fields } from "../settings/schema-fields.ts";
export { rebasePaths } from "./config-paths.ts";
export { differences } from "./differences.ts";
export { templateNames, templateSays } from "./extends-chain.ts";
export { injected, withFaults } from "./fault-names.ts";
export {
  checkedConfig,
  type Loaded,
  loadConfig,
  parseConfig,
  parseResolvedConfig,
  recordedConfig,
  withModelSizes,
} from "./load-config.ts";
