import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { StoreError } from '../base/errors.ts';

export type DatabaseUrl =
  | { readonly dialect: 'sqlite'; readonly path: string; readonly label: string }
  | {
      readonly dialect: 'postgres';
      /** In the form that `pg` accepts. */
      readonly connectionString: string;
      /** Without the password, for messages. */
      readonly label: string;
    };

/**
 * `sqlite:///relative`, `sqlite:////absolute`, `sqlite:///~/path`; `postgres://`, `postgresql://`
 * and SQLAlchemy's `postgresql+asyncpg://` mean the same. Throws `store_url_invalid`.
 */
export function parseDatabaseUrl(url: string): DatabaseUrl {
  const scheme = /^([a-z0-9+]+):\/\//i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'sqlite':
    case 'sqlite+aiosqlite':
      return parseSqlite(url);
    case 'postgres':
    case 'postgresql':
    case 'postgresql+asyncpg':
      return parsePostgres(url, scheme);
    default:
      throw invalid(url, scheme ? `the scheme "${scheme}" is unknown` : 'it has no scheme');
  }
}

function parseSqlite(url: string): DatabaseUrl {
  const path = /^[^:]+:\/\/\/(.+)$/.exec(url)?.[1];
  if (!path || path === ':memory:') throw invalid(url, 'it names no file');
  const file = path.startsWith('~/') ? `${homedir()}${path.slice(1)}` : path;
  return { dialect: 'sqlite', path: resolve(file), label: resolve(file) };
}

function parsePostgres(url: string, scheme: string): DatabaseUrl {
  let parsed: URL;
  try {
    parsed = new URL(`postgresql${url.slice(scheme.length)}`);
  } catch (error) {
    throw invalid(url, 'it cannot be parsed', error);
  }
  const ssl = parsed.searchParams.get('ssl');
  if (scheme === 'postgresql+asyncpg' && ssl !== null && !parsed.searchParams.has('sslmode')) {
    parsed.searchParams.delete('ssl');
    parsed.searchParams.set('sslmode', ssl);
  }
  const connectionString = parsed.toString();
  parsed.password = '';
  return { dialect: 'postgres', connectionString, label: parsed.toString() };
}

function invalid(url: string, why: string, cause?: unknown): StoreError {
  const shown = url.replace(/(:\/\/[^:@/]*):[^@/]*@/, '$1:***@');
  return new StoreError(
    'store_url_invalid',
    `DSTACK_DATABASE_URL "${shown}" cannot be used: ${why}.`,
    'Use sqlite:///path/to/file or postgres://user:password@host:5432/database.',
    cause,
  );
}
