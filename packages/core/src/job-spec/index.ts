export {
  type BuiltJobSpecs,
  buildJobSpecs,
  DRY_RUN_NAME,
  type JobSpecContext,
} from './build.ts';
export { userShellCommands } from './commands.ts';
export {
  DEFAULT_JOB_SPEC_SETTINGS,
  type ImageConfig,
  type JobSpecSettings,
  SCRATCH_IMAGE,
} from './settings.ts';
