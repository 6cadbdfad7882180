import { existsSync, realpathSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { JobMount } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import { makeFolders } from '../files/make-folders.ts';
import { JobFailure } from '../jobs/executor.ts';

/**
 * Mounts of the host's directories. A missing one is made, open to everybody, unless it is optional.
 * `forbidden`: paths that would give a job power over the host. Throws `JobFailure`.
 */
export async function hostMounts(
  mounts: readonly JobMount[],
  forbidden: readonly string[],
): Promise<Docker.MountSettings[]> {
  const settings: Docker.MountSettings[] = [];
  for (const { source, target, read_only, optional } of mounts) {
    if (!existsSync(source)) {
      if (optional) continue;
      await makeDirectory(source);
    }
    refuseForbidden(source, forbidden);
    settings.push({ Type: 'bind', Source: source, Target: target, ReadOnly: read_only });
  }
  return settings;
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await makeFolders(dirname(path), 0o755);
    await mkdir(path);
    await chmod(path, 0o777);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new JobFailure('executor_error', `prepareInstanceMountPoints error: ${why}`);
  }
}

function refuseForbidden(source: string, forbidden: readonly string[]): void {
  const real = realpathSync(source);
  for (const path of forbidden) {
    const inner = existsSync(path) ? realpathSync(path) : path;
    // Neither the place itself, nor anything in it, nor a directory around it.
    if (
      real === inner ||
      real.startsWith(`${inner}/`) ||
      `${inner}/`.startsWith(`${real}/`) ||
      real === '/'
    ) {
      const message = `prepareInstanceMountPoints error: ${source} cannot be mounted into a job, it holds ${path}`;
      throw new JobFailure('executor_error', message);
    }
  }
}
