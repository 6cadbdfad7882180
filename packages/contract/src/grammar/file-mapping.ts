import { hasDrive, splitPathMapping } from './paths.ts';
import { Problem, quote } from './problem.ts';

export interface ParsedFileMapping {
  readonly local_path: string;
  readonly path: string;
}

/** Reads `path` (the same on both sides) or `local:container`. */
export function parseFileMapping(text: string): ParsedFileMapping | Problem {
  const [local = '', path = local, ...more] = splitPathMapping(text);
  if (more.length > 0) {
    // An apparent third part may be the drive letter of the second.
    if (hasDrive(`${path}:${more.join(':')}`)) return windowsTarget(`${path}:${more.join(':')}`);
    return new Problem(`must be 'path' or 'local-path:container-path', got ${quote(text)}`);
  }
  return hasDrive(path) ? windowsTarget(path) : { local_path: local, path };
}

export function windowsTarget(path: string): Problem {
  return new Problem(
    `needs a POSIX path inside the container, got ${quote(path)}: write 'local-path:/container/path'`,
  );
}
