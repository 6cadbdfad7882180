import { readFileSync } from 'node:fs';

/** What a shell says about itself, which is not true of the next one. */
const SHELL_STATE = new Set(['_', 'SHLVL', 'PWD', 'OLDPWD']);

/**
 * The environment that a job's process was started with; null when it has ended, is not ours to
 * look into, or has overwritten it with a title of its own.
 */
export function jobEnviron(pid: number, jobId: string): Readonly<Record<string, string>> | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return null;
  }
  const entries = text.split('\0').flatMap((entry): [string, string][] => {
    const name = entry.slice(0, Math.max(0, entry.indexOf('=')));
    if (name === '' || SHELL_STATE.has(name)) return [];
    return [[name, entry.slice(name.length + 1)]];
  });
  const env = Object.fromEntries(entries);
  // The mark also tells it from a later process with the same number.
  return env.DSTACK_JOB_ID === jobId ? env : null;
}
