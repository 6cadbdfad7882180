import { Problem, quote } from './problem.ts';

export type ParsedMount =
  | { readonly name: string; readonly path: string }
  | { readonly instance_path: string; readonly path: string };

/** Reads `volume:/path` or `/host/path:/path`; a slash in the first half means a path of the host. */
export function parseMount(text: string): ParsedMount | Problem {
  const parts = text.split(':');
  const [source, path] = parts;
  if (parts.length !== 2 || source === undefined || path === undefined) {
    const hint = parts.length > 2 ? ' (modes like :ro are not supported)' : '';
    return new Problem(
      `must be 'volume-name:/path' or '/instance/path:/path', got ${quote(text)}${hint}`,
    );
  }
  return source.includes('/') ? { instance_path: source, path } : { name: source, path };
}
