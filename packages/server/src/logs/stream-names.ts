import { LogStoreError, type LogStreamRef } from './log-store.ts';

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * `<project>/<run>/<job>`, the folder of a stream below the store's own, or null for invalid names.
 * Run names and ids come from requests: no name that could leave the folder is accepted.
 */
export function streamFolder(ref: LogStreamRef): string | null {
  if (!NAME.test(ref.project) || !NAME.test(ref.run) || !UUID.test(ref.jobId)) return null;
  return `${ref.project}/${ref.run}/${ref.jobId}`;
}

export function requireStreamFolder(ref: LogStreamRef): string {
  const folder = streamFolder(ref);
  if (folder) return folder;
  const name = JSON.stringify(ref);
  throw new LogStoreError('bad_stream', `A log cannot be stored under these names: ${name}`);
}
