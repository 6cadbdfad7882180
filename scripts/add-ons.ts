/**
 * Downloads the terminal add-ons of the Linux platforms that npm has not installed on this computer, so
 * that a package made here serves all of them.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAME = /^node_modules\/(@lydell\/node-pty-linux-\w+)$/;

interface LockedPackage {
  readonly version: string;
  readonly integrity: string;
}

export interface AddOn extends LockedPackage {
  readonly name: string;
  /** The folder of the package; it exists if the package is installed or was downloaded. */
  readonly folder: string;
}

/** Those of all Linux platforms in the lock file. */
export async function terminalAddOns(root: string): Promise<AddOn[]> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  return Object.entries(lock.packages).flatMap(([path, { version, integrity }]) => {
    const [, name] = NAME.exec(path) ?? [];
    if (name === undefined) return [];
    const installed = join(root, path);
    const downloaded = join(root, 'node_modules', '.add-ons', `${name}-${version}`);
    const folder = existsSync(installed) ? installed : downloaded;
    return [{ name, version, integrity, folder }];
  });
}

/** Rejects a package whose content is not that of the lock file. */
async function download({ name, version, integrity, folder }: AddOn): Promise<void> {
  const temporary = await mkdtemp(join(tmpdir(), 'dstack-add-on-'));
  try {
    const args = ['pack', `${name}@${version}`, '--json', '--pack-destination', temporary];
    const [packed] = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' })) as {
      readonly filename: string;
      readonly integrity: string;
    }[];
    if (packed?.integrity !== integrity) {
      throw new Error(`${name}@${version} is not the package of package-lock.json`);
    }
    execFileSync('tar', ['xzf', join(temporary, packed.filename), '-C', temporary]);
    await mkdir(join(folder, '..'), { recursive: true });
    await rename(join(temporary, 'package'), folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

if (import.meta.filename === process.argv[1]) {
  for (const addOn of await terminalAddOns(fileURLToPath(new URL('..', import.meta.url)))) {
    if (!existsSync(addOn.folder)) await download(addOn);
  }
}
