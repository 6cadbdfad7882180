import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Whose directories are whose; all paths without links. */
export interface Grounds {
  /** The job's own directories: what is there, the job has made. */
  readonly own: readonly string[];
  /** Directories of the agent, which are no place for a job. Its own ones may lie in them. */
  readonly reserved: readonly string[];
}

/** A place on this machine where something of a job may be put. */
export interface Target {
  /** Without links in it, as it was when it was looked at. */
  readonly path: string;
  /** `own`: among the job's own; `empty`: a directory with nothing in it, which stays. */
  readonly state: 'absent' | 'empty' | 'own';
}

/** Why nothing may be put there; `path` as the job names it. */
export type TargetRefusal =
  | { readonly refused: 'not_empty'; readonly path: string }
  | { readonly refused: 'not_directory'; readonly path: string }
  | { readonly refused: 'dead_link'; readonly path: string }
  | { readonly refused: 'reserved'; readonly path: string; readonly by: string }
  | { readonly refused: 'unreachable'; readonly path: string; readonly why: string };

/** Tells what an earlier attempt of the same job has put at a path, which is reached by `at`. */
export type IsPlaced = (path: string, at?: string) => boolean;

/**
 * Looks at a place without changing anything: on a machine that is not the job's alone, only what is
 * absent or an empty directory may be taken.
 */
export function readTarget(
  path: string,
  grounds: Grounds,
  isPlaced: IsPlaced,
): Target | TargetRefusal {
  try {
    const real = realPath(path);
    if (real === null) return { refused: 'dead_link', path };
    if (grounds.own.some((dir) => isWithin(real, dir))) return { path: real, state: 'own' };
    const by = grounds.reserved.find((dir) => isWithin(real, dir));
    if (by !== undefined) return { refused: 'reserved', path, by };
    const stats = lstatSync(real, { throwIfNoEntry: false });
    if (!stats || isPlaced(real)) return { path: real, state: 'absent' };
    if (!stats.isDirectory()) return { refused: 'not_directory', path };
    const isEmpty = strangersIn(real, real, isPlaced).length === 0;
    return isEmpty ? { path: real, state: 'empty' } : { refused: 'not_empty', path };
  } catch (error) {
    return { refused: 'unreachable', path, why: error instanceof Error ? error.message : 'error' };
  }
}

/** Null where a directory is, or can be made. */
export function directoryRefusal(path: string, grounds: Grounds): TargetRefusal | null {
  const target = readTarget(path, grounds, () => false);
  return 'refused' in target && target.refused !== 'not_empty' ? target : null;
}

/** What a directory holds that is not of the job; a file system's own `lost+found` is nothing. */
export function strangersIn(dir: string, path: string, isPlaced: IsPlaced): string[] {
  return readdirSync(dir).filter(
    (name) => name !== 'lost+found' && !isPlaced(join(path, name), join(dir, name)),
  );
}

export function isWithin(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir === '/' ? '/' : `${dir}/`);
}

/** What exists of the path is resolved, the rest is kept; null where a link on it leads nowhere. */
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

/** For the person who wrote the run. */
export function refusalText(refusal: TargetRefusal): string {
  const { path } = refusal;
  switch (refusal.refused) {
    case 'not_empty':
      return `${path} exists and is not empty`;
    case 'not_directory':
      return `${path} exists as a file`;
    case 'dead_link':
      return `${path} has a link in it that leads nowhere`;
    case 'reserved':
      return `${path} lies in ${refusal.by}, which belongs to dstack`;
    case 'unreachable':
      return `${path} cannot be looked at (${refusal.why})`;
  }
}
