/** Names of batch jobs, which are those of their folders too. */
import { createHash } from 'node:crypto';

/** Slurm cuts longer names off in most of its tables. */
const MAX_NAME = 64;
const DIGITS = 12;
const NAME = /^dstack-[a-z0-9-]{1,44}-[0-9a-f]{12}$/;

/** The same key always gives the same name, so that a repeated order finds the first job. */
export function jobName(parts: readonly string[], key: string): string {
  const hash = createHash('sha256').update(key).digest('hex').slice(0, DIGITS);
  const text = parts
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-');
  const room = MAX_NAME - 'dstack-'.length - DIGITS - 1;
  return `dstack-${text.slice(0, room) || 'job'}-${hash}`;
}

/** Whether a name is one of ours, so that its folder may be removed. */
export const isJobName = (name: string): boolean => NAME.test(name);
