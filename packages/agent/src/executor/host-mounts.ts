import { existsSync, realpathSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { JobMount, VolumeSource } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { createFolders } from '../host/create-folders.ts';
import { JobFailure } from './job-failure.ts';

/** An existing directory or file of the host, links in its path resolved. */
export interface HostMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface HostMounts {
  readonly mounts: readonly HostMount[];
  /** Lines for the job's output about skipped mounts. */
  readonly notices: readonly string[];
}

/**
 * All mounts of a job except optional ones whose source is missing. The source of another mount is
 * created if it is missing, open to all users, unless it is a volume. `forbidden`: paths that would
 * give a job control of the host. Throws `JobFailure`.
 */
export async function hostMounts(
  requested: readonly JobMount[],
  forbidden: readonly string[],
  volumes: VolumeData = NO_VOLUMES,
): Promise<HostMounts> {
  const mounts: HostMount[] = [];
  const notices: string[] = [];
  for (const { source, target, read_only: readOnly, optional, volume } of requested) {
    if (volume) {
      mounts.push({ source: await dataOf(volumes, volume), target, readOnly });
      continue;
    }
    // A source must not be created in a forbidden place either.
    refuseForbidden(source, forbidden);
    if (!existsSync(source)) {
      if (optional) {
        const why = `${source} does not exist on the host`;
        notices.push(`the optional volume ${source}:${target} is left out, since ${why}`);
        continue;
      }
      await makeDirectory(source);
      refuseForbidden(source, forbidden);
    }
    mounts.push({ source: realpathSync(source), target, readOnly });
  }
  return { mounts, notices };
}

/** Where the data of volumes are. */
export interface VolumeData {
  /** Null: there is no such volume. Throws `JobFailure` if its device cannot be mounted. */
  dataOf(volume: VolumeSource): Promise<string | null>;
}

const NO_VOLUMES: VolumeData = { dataOf: async () => null };

async function dataOf(volumes: VolumeData, volume: VolumeSource): Promise<string> {
  const path = await volumes.dataOf(volume);
  if (path !== null) return path;
  const where = volume.path === null ? 'on this host' : `in ${volume.path} on this host`;
  throw new JobFailure('volume_error', `The directory of the volume is not ${where} any more`);
}

/** The message begins as in dstack 0.22.5. */
export function mountFailure(why: string): JobFailure {
  return new JobFailure('executor_error', `prepareInstanceMountPoints error: ${why}`);
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await createFolders(dirname(path), 0o755);
    await mkdir(path);
    await chmod(path, 0o777);
  } catch (error) {
    throw mountFailure(errorMessage(error));
  }
}

function refuseForbidden(source: string, forbidden: readonly string[]): void {
  const real = realPath(source);
  for (const path of forbidden) {
    const inner = realPath(path);
    // Refuse the path itself, everything in it, and every directory around it.
    if (
      real === inner ||
      real.startsWith(`${inner}/`) ||
      `${inner}/`.startsWith(`${real}/`) ||
      real === '/'
    ) {
      throw mountFailure(`${source} cannot be mounted into a job, it holds ${path}`);
    }
  }
}

/** The path without links; its last parts may be missing. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPath(parent), basename(path));
}
