/**
 * The entry of the server: `dstack server` loads it by path. It prints nothing; its result has the
 * messages for the terminal, and errors that the user can resolve are `StartError`s.
 */

export { SettingsError } from '@dstack/contract';
export { writeAgentImage } from './agent-image/write-agent-image.ts';
export { backUp, openRestore } from './backup/backup.ts';
export { StartError } from './process/start-error.ts';
export { type RunningServer, startServer } from './server.ts';
export type { CommandLineSettings as ServerOptions } from './settings/settings.ts';
