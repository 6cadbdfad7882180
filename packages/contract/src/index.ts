/**
 * The configuration language of dstack: documents, their models, the grammars of their values and
 * the JSON Schemas for editors.
 */

export { type BackendProblem, backendProblems } from './configuration/backend-rules.ts';
export type { ConfigurationError, ConfigurationWarning } from './configuration/finding.ts';
export { formatConfigurationErrors } from './configuration/format-errors.ts';
export * from './configuration/index.ts';
export * from './configuration/merge-profile.ts';
export {
  type DocumentKind,
  type Documents,
  type ParsedConfiguration,
  type ParseOptions,
  parseConfiguration,
} from './configuration/parse-configuration.ts';
export {
  ALL_GPU_NAMES,
  commonVendor,
  KNOWN_GPU_NAMES,
  vendorOfGpu,
} from './grammar/accelerators.ts';
export { type CronSchedule, nextCronTime, parseCron } from './grammar/cron.ts';
export * from './grammar/index.ts';
export { Problem } from './grammar/problem.ts';
export * from './json-schema/index.ts';
export * from './settings-variables.ts';
export { type ForeignYaml, readForeignYaml } from './yaml/foreign.ts';
