/**
 * The entry of the server: `dstack server` loads it by path. It prints nothing; what the person at
 * the terminal should see is in the answer, and errors they can act on are `StartError`s.
 */
export { SettingsError } from './environment.ts';
export { type RunningServer, startServer } from './server.ts';
export type { ServerOptions } from './settings.ts';
export { StartError } from './start-error.ts';
