import { chmodSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import type { JobMount } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import { JobFailure } from '../jobs/executor.ts';

/**
 * Mounts of the host's directories. A missing one is made, open to everybody, unless it is optional.
 * `forbidden`: paths that would give a job power over the host. Throws `JobFailure`.
 */
export function hostMounts(
  mounts: readonly JobMount[],
  forbidden: readonly string[],
): Docker.MountSettings[] {
  return mounts.flatMap((mount): Docker.MountSettings[] => {
    if (!existsSync(mount.source)) {
      if (mount.optional) return [];
      makeDirectory(mount.source);
    }
    refuseForbidden(mount.source, forbidden);
    const { source, target, read_only } = mount;
    return [{ Type: 'bind', Source: source, Target: target, ReadOnly: read_only }];
  });
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    mkdirSync(path);
    chmodSync(path, 0o777);
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
