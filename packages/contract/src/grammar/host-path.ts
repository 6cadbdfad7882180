import { parseHostName } from './host-name.ts';
import { Problem, quote } from './problem.ts';

/** A host name, and the path of a service at it. */
export interface HostPath {
  /** In lower case. */
  readonly host: string;
  /** `/embeddings`, without a slash at the end; empty = all paths of the name that no other service has. */
  readonly path: string;
}

/**
 * The path of a service at a host name that services share. Its segments need no percent encoding, and
 * none is `.`, `..` or empty, so that every program reads it in the same way.
 */
export const SHARED_PATH = /^(\/[A-Za-z0-9_][A-Za-z0-9._~-]*){1,8}$/;
const LONGEST = 200;

/** `chat.example.com`, or `api.example.com/embeddings`; a slash at the end means nothing. */
export function parseHostPath(text: string): string | Problem {
  const slash = text.indexOf('/');
  const host = parseHostName(slash === -1 ? text : text.slice(0, slash));
  const path = slash === -1 ? '' : text.slice(slash).replace(/\/$/, '');
  if (host instanceof Problem) {
    return new Problem(
      `must be a host name like chat.example.com, or one with a path like api.example.com/embeddings, got ${quote(text)}`,
    );
  }
  if (path === '') return host;
  if (path.length <= LONGEST && SHARED_PATH.test(path)) return host + path;
  return new Problem(
    `must have a path like /embeddings after the host name, of 8 segments or fewer with letters, digits, ., _, ~ and - that begin with a letter, a digit or _, got ${quote(text)}`,
  );
}

/** Takes a text that `parseHostPath` has returned. */
export function hostPathOf(text: string): HostPath {
  const slash = text.indexOf('/');
  return slash === -1
    ? { host: text, path: '' }
    : { host: text.slice(0, slash), path: text.slice(slash) };
}
