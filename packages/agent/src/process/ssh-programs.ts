import { accessSync, constants, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { shellQuote } from '@dstack/contract/shell';

/** OpenSSH programs that read `~/.ssh/config`. */
const PROGRAMS = ['ssh', 'scp', 'sftp'];

/**
 * OpenSSH reads its configuration from the home of the account and ignores `HOME`. A process job
 * has its own home: these programs, first in its `PATH`, read the configuration there. Returns the
 * new `PATH`.
 */
export async function makeSshPrograms(
  dir: string,
  home: string,
  path: string = process.env.PATH ?? '',
): Promise<string> {
  const config = shellQuote(join(home, '.ssh', 'config'));
  await mkdir(dir, { recursive: true, mode: 0o755 });
  for (const name of PROGRAMS) {
    const real = find(name, path);
    if (real === null) continue;
    const text = `#!/bin/sh\nexec ${shellQuote(real)} -F ${config} "$@"\n`;
    writeFileSync(join(dir, name), text, { mode: 0o755 });
  }
  return path === '' ? dir : `${dir}${delimiter}${path}`;
}

function find(name: string, path: string): string | null {
  const paths = path.split(delimiter).map((dir) => join(dir, name));
  return paths.find((each) => isExecutable(each)) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
