import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';

/** The owners of directories. All paths are without links. */
export interface DirectoryOwners {
  /** The job's own directories: everything in them belongs to the job. */
  readonly own: readonly string[];
  /** Directories of the agent, which no job may use. The job's own directories may lie in them. */
  readonly reserved: readonly string[];
}

/** A path on this host where files of a job may be placed. */
export interface PlacementTarget {
  /** The path without links, at the time of the check. */
  readonly path: string;
  /** `own`: in a directory of the job; `empty`: an empty directory, which is kept. */
  readonly state: 'absent' | 'empty' | 'own';
}

/** Why a target is refused; `path` as the job names it. */
export type TargetRefusal =
  | { readonly refused: 'not_empty'; readonly path: string }
  | { readonly refused: 'not_directory'; readonly path: string }
  | { readonly refused: 'dead_link'; readonly path: string }
  | { readonly refused: 'reserved'; readonly path: string; readonly by: string }
  | { readonly refused: 'unreachable'; readonly path: string; readonly why: string };

/**
 * Whether an earlier attempt of the same job has placed the entry at a path, which is opened as
 * `at`.
 */
export type IsPlaced = (path: string, at?: string) => boolean;

/**
 * Checks a target without changing anything: on a shared host, a target must be absent or an empty
 * directory.
 */
export function readTarget(
  path: string,
  owners: DirectoryOwners,
  isPlaced: IsPlaced,
): PlacementTarget | TargetRefusal {
  try {
    const real = realPath(path);
    if (real === null) return { refused: 'dead_link', path };
    if (owners.own.some((dir) => isWithin(real, dir))) return { path: real, state: 'own' };
    const by = owners.reserved.find((dir) => isWithin(real, dir));
    if (by !== undefined) return { refused: 'reserved', path, by };
    const stats = lstatSync(real, { throwIfNoEntry: false });
    if (!stats || isPlaced(real)) return { path: real, state: 'absent' };
    if (!stats.isDirectory()) return { refused: 'not_directory', path };
    const isEmpty = foreignEntries(real, real, isPlaced).length === 0;
    return isEmpty ? { path: real, state: 'empty' } : { refused: 'not_empty', path };
  } catch (error) {
    return { refused: 'unreachable', path, why: errorMessage(error) };
  }
}

/** Null if the directory exists or can be created. */
export function directoryRefusal(path: string, owners: DirectoryOwners): TargetRefusal | null {
  const target = readTarget(path, owners, () => false);
  return 'refused' in target && target.refused !== 'not_empty' ? target : null;
}

/** Entries of a directory that the job has not made, apart from a file system's `lost+found`. */
export function foreignEntries(dir: string, path: string, isPlaced: IsPlaced): string[] {
  return readdirSync(dir).filter(
    (name) => name !== 'lost+found' && !isPlaced(join(path, name), join(dir, name)),
  );
}

export function isWithin(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir === '/' ? '/' : `${dir}/`);
}

/** Resolves the existing part of a path and keeps the rest; null if a link on it is broken. */
export function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (lstatSync(path, { throwIfNoEntry: false })) return null;
  const above = realPath(dirname(path));
  return above === null ? null : join(above, basename(path));
}

/** The message for the user. */
export function targetRefusalText(refusal: TargetRefusal): string {
  const { path } = refusal;
  switch (refusal.refused) {
    case 'not_empty':
      return `${path} exists and is not empty`;
    case 'not_directory':
      return `${path} exists as a file`;
    case 'dead_link':
      return `${path} contains a broken link`;
    case 'reserved':
      return `${path} lies in ${refusal.by}, which belongs to dstack`;
    case 'unreachable':
      return `${path} cannot be checked (${refusal.why})`;
  }
}
