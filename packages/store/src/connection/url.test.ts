import { homedir } from 'node:os';
import { expect, it } from 'vitest';
import { parseDatabaseUrl } from './url.ts';

it('reads paths of SQLite files', () => {
  const path = (url: string) => {
    const parsed = parseDatabaseUrl(url);
    return parsed.dialect === 'sqlite' ? parsed.path : null;
  };
  expect(path('sqlite:////var/lib/dstack.db')).toBe('/var/lib/dstack.db');
  expect(path('sqlite:///data/dstack.db')).toBe(`${process.cwd()}/data/dstack.db`);
  expect(path('sqlite:///~/dstack.db')).toBe(`${homedir()}/dstack.db`);
  expect(path('sqlite+aiosqlite:////a.db')).toBe('/a.db');
});

it.each([
  ['postgres://me@db/x', 'postgresql://me@db/x'],
  ['postgresql://me@db/x', 'postgresql://me@db/x'],
  ['postgresql+asyncpg://me@db/x', 'postgresql://me@db/x'],
  ['postgresql+asyncpg://me@db/x?ssl=require', 'postgresql://me@db/x?sslmode=require'],
])('takes %s as %s', (url, connectionString) => {
  expect(parseDatabaseUrl(url)).toMatchObject({ dialect: 'postgres', connectionString });
});

it('shows no password', () => {
  expect(parseDatabaseUrl('postgres://me:secret@db/x').label).toBe('postgresql://me@db/x');
  const read = () => parseDatabaseUrl('mysql://me:secret@db/x');
  expect(read).toThrow('mysql://me:***@db/x');
});

it.each([
  ['dstack.db', 'it has no scheme'],
  ['mysql://db/x', 'the scheme "mysql" is unknown'],
  ['sqlite:///', 'it names no file'],
  ['sqlite:///:memory:', 'it names no file'],
  ['postgres://[', 'it cannot be parsed'],
])('refuses %s: %s', (url, why) => {
  const read = () => parseDatabaseUrl(url);
  expect(read).toThrow(expect.objectContaining({ code: 'store_url_invalid' }));
  expect(read).toThrow(why);
});
