import { join } from 'node:path';

/**
 * The folders of the server's folder, and how long each keeps its files. A new folder needs an entry
 * here: `serverFolder` accepts no other name.
 */
export const SERVER_FOLDERS = {
  data: 'the database: RETENTION_RULES of @dstack/store',
  logs: 'output of jobs: DSTACK_SERVER_LOGS_TTL_SECONDS after the end of the job',
  blobs: 'uploads: DSTACK_SERVER_UPLOADS_TTL_SECONDS after the last run that names them',
  agent: 'state of the agent on the server host: the agent deletes ended jobs',
  cache: 'programs for hosts: one set for each version and architecture that hosts have',
  proxy: 'processes that serve services: a record and a log of limited size for each',
  sim: 'simulated backends of tests: deleted with them',
} as const;

export type ServerFolder = keyof typeof SERVER_FOLDERS;

export function serverFolder(serverDir: string, folder: ServerFolder): string {
  return join(serverDir, folder);
}

/** A file beside these folders, which a person may write. */
export function serverConfigPath(dir: string): string {
  return join(dir, 'config.yml');
}
