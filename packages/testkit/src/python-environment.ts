import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** A virtual environment of Python, or the reason why there is none. */
export type PythonEnvironment =
  | { readonly path: string; readonly missing: null }
  | { readonly path: null; readonly missing: string };

/**
 * Makes the environment `$1` with the package `$2`. The `pip` of this computer is used where it can: another
 * copy takes five seconds. What a program does not import is not compiled.
 */
const INSTALL = `
set -e
[ ! -e "$1/complete" ] || exit 0
rm -rf "$1"
python3 -m venv --without-pip "$1"
if python3 -m pip --python "$1/bin/python" --version >/dev/null 2>&1; then
  set -- "$1" "$2" python3 -m pip --python "$1/bin/python"
else
  "$1/bin/python" -m ensurepip
  set -- "$1" "$2" "$1/bin/python" -m pip
fi
environment=$1 requirement=$2
shift 2
"$@" install --quiet --no-compile "$requirement"
touch "$environment/complete"
`;

/**
 * Installs a package (`name==version`) from the package index into `.cache/<folder>` unless an earlier run
 * has done so; suites that run at the same time wait for each other. If that is not possible, its suite is
 * skipped with a message on the console; on CI (`CI` is set) it fails.
 */
export function pythonEnvironment(requirement: string, folder: string): PythonEnvironment {
  const path = resolve(import.meta.dirname, '..', '..', '..', '.cache', folder);
  if (existsSync(join(path, 'complete'))) return { path, missing: null };
  mkdirSync(dirname(path), { recursive: true });
  try {
    const install = [`${path}.lock`, 'sh', '-c', INSTALL, 'sh', path, requirement];
    execFileSync('flock', install, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string };
    const missing = [message, stdout, stderr].filter(Boolean).join('\n');
    if (process.env.CI) throw new Error(`${requirement} is not installed: ${missing}`);
    return { path: null, missing };
  }
  return { path, missing: null };
}
