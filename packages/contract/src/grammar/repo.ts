import { splitPathMapping } from './paths.ts';
import { Problem, quote } from './problem.ts';

export interface ParsedRepo {
  readonly local_path?: string;
  readonly url?: string;
  readonly path?: string;
}

/** Reads `local[:path]` or `url[:path]`; `git@host:owner/repo` and `https://…` are URLs. */
export function parseRepo(text: string): ParsedRepo | Problem {
  const parts = splitPathMapping(text);
  const [first = '', second] = parts;
  // A URL has its own colon, after the scheme or after the host, and may contain a port.
  const isUrl = second !== undefined && (first.includes('@') || second.startsWith('//'));
  const hasPort = second?.startsWith('//') === true && /^\d+(?:\/|$)/.test(parts[2] ?? '');
  const length = isUrl ? (hasPort ? 3 : 2) : 1;
  const source = parts.slice(0, length).join(':');
  const [path, ...more] = parts.slice(length);
  if (more.length > 0) {
    return new Problem(
      `must be 'local-path[:container-path]' or 'url[:container-path]', got ${quote(text)}`,
    );
  }
  const target = path === undefined ? {} : { path };
  return isUrl ? { url: source, ...target } : { local_path: source, ...target };
}
