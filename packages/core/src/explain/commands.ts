/** Command lines for people to copy. */
import type { RunRecord } from '../model/index.ts';

/** Applies the run's file again; null if the path of that file is unknown. */
export function applyCommand(
  { spec }: Pick<RunRecord, 'spec'>,
  flags: readonly string[] = [],
): string | null {
  const path = spec.configuration_path;
  // A configuration from stdin (`-`) has no file.
  if (!path || path === '-') return null;
  return ['dstack apply -f', shellWord(path), ...flags].join(' ');
}

/** One word for a POSIX shell. */
export function shellWord(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
