import { UsageError } from '../errors.ts';

/**
 * The URL of a server as given by a person or a variable, without a slash at its end. Throws if it is none,
 * or if it has a path, as those of the web UI do: servers are at the root of their host. Prints no password.
 */
export function serverUrl(text: string, source: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'http+unix:') return text;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new UsageError(`${source} is not the URL of a server: ${text}`, {
      why: 'it must begin with http:// or https://',
      next: `for example http://127.0.0.1:3000`,
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(`${source} contains a user name or a password`, {
      why: 'users sign in by their tokens, and URLs are printed and stored',
      next: `use ${url.origin}`,
    });
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new UsageError(`${source} has a path: ${text}`, {
      why: 'a server is at the root of its host',
      next: `use ${url.origin}`,
    });
  }
  return text.replace(/\/$/, '');
}
