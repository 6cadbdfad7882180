import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { makeBusyboxRoot } from './docker.ts';
import { copyPrograms } from './program-image.ts';

/** The programs copied into the image, beside the libraries that they need. */
const PROGRAMS = ['/usr/bin/orterun', '/usr/bin/orted', '/usr/bin/ssh', '/usr/bin/scp'];
const DATA = ['/usr/share/openmpi', '/usr/share/pmix', '/etc/openmpi'];

/** The missing requirements of `importMpiImage`, null if there are none. */
export function mpiMissing(): string | null {
  return PROGRAMS.find((path) => !existsSync(path)) ?? (pluginDirs()[0] ? null : 'openmpi plugins');
}

/**
 * Creates an image with Open MPI, an SSH client and busybox in each of these daemons. The programs
 * and their libraries (about 60 MB) are copied from this computer, which is faster than any package
 * manager.
 */
export async function importMpiImage(name: string, daemons: readonly Docker[]): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'mpi-image-'));
  try {
    const root = join(dir, 'root');
    makeBusyboxRoot(root);
    await copyInto(root);
    symlinkSync('orterun', join(root, 'usr/bin/mpirun'));
    mkdirSync(join(root, 'var/tmp'), { recursive: true });
    const [repo = name, tag = 'latest'] = name.split(':');
    for (const docker of daemons) {
      const tar = spawn('tar', ['-C', root, '-cf', '-', '.'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const changes = ['ENV PATH=/usr/bin:/bin'];
      const answer = await docker.importImage(tar.stdout, { repo, tag, changes });
      await new Promise<void>((resolve, reject) => {
        answer.on('end', resolve).on('error', reject).resume();
      });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function copyInto(root: string): Promise<void> {
  const plugins = pluginDirs().flatMap((dir) =>
    execFileSync('find', [dir, '-name', '*.so', '-type', 'f'], { encoding: 'utf8' })
      .trim()
      .split('\n'),
  );
  const data = DATA.filter((path) => existsSync(path));
  await copyPrograms(root, PROGRAMS, { plugins, data });
}

function pluginDirs(): string[] {
  const lib = '/usr/lib';
  return readdirSync(lib)
    .flatMap((arch) => [join(lib, arch, 'openmpi'), join(lib, arch, 'pmix2')])
    .filter((dir) => existsSync(dir));
}
