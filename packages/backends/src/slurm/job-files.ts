/** Files by which agents and batch scripts report changes of their jobs. */
import { shellQuote } from '@dstack/contract/shell';
import { ENDED_FILE, folderOf, LOG_FILE, tunnelPatterns } from './folders.ts';
import { isStarted } from './job-state.ts';
import { FOLDERS_SCRIPT, type QueueView } from './job-table.ts';

/** Whether the view already shows what the file reports, so that the queue need not be read for it. */
export function isExplained(path: string, { jobs }: QueueView): boolean {
  if (path === '') return true;
  const [, name = '', file = ''] = FILE_OF_JOB.exec(path) ?? [];
  const job = jobs.get(name);
  return job !== undefined && isStarted(job) && file !== ENDED_FILE;
}

const FILE_OF_JOB = /\/([^/]+)\/(?:agent\/)?([^/]+)$/;

/**
 * Prints the files that agents and batch scripts have left in the folders of these jobs, and what the folders
 * contain if these are not the files of `before`. Until then it starts no program: it runs many times a second.
 */
export function filesScript(names: readonly string[], before: string): string {
  const files = names.map((name) => {
    const folder = folderOf(name);
    // A pattern, so that a file system of several computers reads its directory again.
    return `${folder}/${LOG_FILE}* ${tunnelPatterns(folder)} ${folder}/${ENDED_FILE}*`;
  });
  return [
    `found=; for file in ${files.join(' ')}; do`,
    '  if [ -f "$file" ]; then found="$found$file\n"; fi',
    'done',
    `printf '%s' "$found"`,
    `if [ "$found" != ${shellQuote(before)} ]; then`,
    FOLDERS_SCRIPT,
    'fi',
  ].join('\n');
}
