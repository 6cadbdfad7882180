import { readFileSync } from 'node:fs';

/** Variables that describe one shell, and would be wrong in another. */
const SHELL_STATE = new Set(['_', 'SHLVL', 'PWD', 'OLDPWD']);

/**
 * The environment that a job's process was started with. Null if the process has ended, is not
 * readable, or has overwritten its environment with a title.
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
  // The mark also excludes a later process with the same pid.
  return env.DSTACK_JOB_ID === jobId ? env : null;
}
