/**
 * The entry of the server: `dstack server` loads it by path. It prints nothing; its result has the
 * messages for the terminal, and errors that the user can resolve are `StartError`s.
 */
export { backUp, openRestore } from './backup/backup.ts';
export { SettingsError } from './environment.ts';
export { writeAgentImage } from './kubernetes/write-agent-image.ts';
export { type RunningServer, startServer } from './server.ts';
export type { CommandLineSettings as ServerOptions } from './settings.ts';
export { StartError } from './start-error.ts';
