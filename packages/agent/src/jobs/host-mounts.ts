import { existsSync, realpathSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { JobMount, VolumeDirectory } from '@dstack/contract/agent';
import { makeFolders } from '../files/make-folders.ts';
import { JobFailure } from './executor.ts';

/** A directory or file of the host that is there, links in its path resolved. */
export interface HostMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface HostMounts {
  readonly mounts: readonly HostMount[];
  /** Lines for the job's output about mounts that are left out. */
  readonly notices: readonly string[];
}

/**
 * Every mount of a job but optional ones whose source is missing; another missing source is made, open
 * to everybody, unless it is a volume. `forbidden`: paths that would give a job power over the host.
 * Throws `JobFailure`.
 */
export async function hostMounts(
  asked: readonly JobMount[],
  forbidden: readonly string[],
  volumes: VolumeData = NO_VOLUMES,
): Promise<HostMounts> {
  const mounts: HostMount[] = [];
  const notices: string[] = [];
  for (const { source, target, read_only: readOnly, optional, volume } of asked) {
    if (volume) {
      mounts.push({ source: await dataOf(volumes, volume), target, readOnly });
      continue;
    }
    // Nothing is made in a forbidden place either.
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
  /** Null: there is no such volume. */
  dataOf(volume: VolumeDirectory): Promise<string | null>;
}

const NO_VOLUMES: VolumeData = { dataOf: async () => null };

async function dataOf(volumes: VolumeData, volume: VolumeDirectory): Promise<string> {
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
    await makeFolders(dirname(path), 0o755);
    await mkdir(path);
    await chmod(path, 0o777);
  } catch (error) {
    throw mountFailure(error instanceof Error ? error.message : String(error));
  }
}

function refuseForbidden(source: string, forbidden: readonly string[]): void {
  const real = realPath(source);
  for (const path of forbidden) {
    const inner = realPath(path);
    // Neither the path itself, nor anything in it, nor a directory around it.
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

/** Where a path leads, also one whose last parts are missing. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPath(parent), basename(path));
}
