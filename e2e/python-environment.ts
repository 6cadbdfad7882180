import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** A virtual environment of Python, or the reason why there is none. */
export type PythonEnvironment =
  | { readonly path: string; readonly missing: null }
  | { readonly path: null; readonly missing: string };

/**
 * Installs a package (`name==version`) from the package index into `.cache/<folder>` unless an earlier run
 * has done so. If that is not possible, its suite is skipped with a message on the console; on CI (`CI` is
 * set) it fails.
 */
export function pythonEnvironment(requirement: string, folder: string): PythonEnvironment {
  const path = resolve(import.meta.dirname, '..', '.cache', folder);
  const complete = join(path, 'complete');
  if (existsSync(complete)) return { path, missing: null };
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
  try {
    execFileSync('python3', ['-m', 'venv', path], { encoding: 'utf8', stdio: 'pipe' });
    const pip = ['-m', 'pip', 'install', '--quiet', requirement];
    execFileSync(join(path, 'bin', 'python'), pip, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string };
    const missing = [message, stdout, stderr].filter(Boolean).join('\n');
    if (process.env.CI) throw new Error(`${requirement} is not installed: ${missing}`);
    return { path: null, missing };
  }
  writeFileSync(complete, '');
  return { path, missing: null };
}
