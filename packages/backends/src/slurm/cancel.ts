import { shellQuote } from '@dstack/contract/shell';
import { credentialsFolderOf, folderOf } from './folders.ts';

/** In a script: removes what a job has on the cluster. */
export const removed = (name: string): string =>
  `rm -rf ${folderOf(name)} ${credentialsFolderOf(name)}`;

/** Output of the script while processes of the job are still ending. */
export const LEFT = 'left';

/**
 * Cancels a job unless it is ending already, and removes its folder once it has left the queue. It is
 * asked for again until then, and by each node of a gang. A queue that cannot be read is a failure: the
 * folder of a job that runs must not be removed.
 */
export function cancelScript(name: string): string {
  const queue = `squeue -h -u "$(id -un)" -n ${shellQuote(name)} -o '%i %T'`;
  return [
    'set -eu',
    `jobs=$(${queue})`,
    `ids=$(printf '%s\\n' "$jobs" | sed '/ COMPLETING$/d; s/ .*//')`,
    // Each id is a word of its own.
    `if [ -n "$ids" ]; then scancel $ids; jobs=$(${queue}); fi`,
    `if [ -n "$jobs" ]; then echo ${LEFT}; else ${removed(name)}; fi`,
  ].join('\n');
}
