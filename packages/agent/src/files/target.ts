import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';

/** Who owns which directories; all paths are without links. */
export interface Grounds {
  /** The job's own directories: everything in them belongs to the job. */
  readonly own: readonly string[];
  /** Directories of the agent, which no job may use. The job's own ones may lie in them. */
  readonly reserved: readonly string[];
}

/** A place on this machine where something of a job may be put. */
export interface Target {
  /** Without links, as it was at the time of the check. */
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

/** Whether an earlier attempt of the same job has placed what is at a path, which is opened as `at`. */
export type IsPlaced = (path: string, at?: string) => boolean;

/**
 * Checks a target without changing anything: on a machine that the job shares, a target must be absent
 * or an empty directory.
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
    return { refused: 'unreachable', path, why: errorMessage(error) };
  }
}

/** Null if the directory exists or can be made. */
export function directoryRefusal(path: string, grounds: Grounds): TargetRefusal | null {
  const target = readTarget(path, grounds, () => false);
  return 'refused' in target && target.refused !== 'not_empty' ? target : null;
}

/** Entries of a directory that the job has not made, apart from a file system's `lost+found`. */
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
