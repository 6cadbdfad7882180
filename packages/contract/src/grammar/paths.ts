import { Problem, quote } from './problem.ts';

/** Path of a mount inside a container or on a host, normalised; absolute, without `..`. */
export function normalizeMountPath(path: string): string | Problem {
  if (path === '') return new Problem('has an empty path');
  if (!path.startsWith('/')) {
    return new Problem(`has a relative path ${quote(path)}: paths of mounts must be absolute`);
  }
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return new Problem(`has a path with '..': ${quote(path)}`);
  // POSIX keeps exactly two leading slashes apart from one.
  const root = /^\/\/(?!\/)/.test(path) ? '//' : '/';
  return root + parts.join('/');
}

/** A directory of hosts that holds what belongs to dstack only, so not the root itself. */
export function parseSharedPath(text: string): string | Problem {
  const path = normalizeMountPath(text);
  if (path instanceof Problem) return new Problem(path.message.replace(/^has/, 'is'));
  if (/\p{Cc}/u.test(path)) return new Problem('must not contain control characters');
  return path.replace(/^\/+/, '') === '' ? new Problem('must not be the root directory') : path;
}

/** Whether a path begins with a drive letter: `C:\x`, `c:/x`. */
export function hasDrive(path: string): boolean {
  return /^[a-zA-Z]:[\\/]/.test(path);
}

/** Splits at colons, but not after a leading drive letter. */
export function splitPathMapping(text: string): string[] {
  if (!hasDrive(text)) return text.split(':');
  const [first = '', ...rest] = text.slice(2).split(':');
  return [text.slice(0, 2) + first, ...rest];
}

/** A regular expression for trailing slashes takes quadratic time on a long row of slashes. */
export function withoutTrailingSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}
