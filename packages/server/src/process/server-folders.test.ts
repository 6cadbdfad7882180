import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SOURCES = join(import.meta.dirname, '..');

it('no source names a folder of the server by hand, so that each has a rule', () => {
  const found = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .filter((path) => /join\((settings\.dir|serverDir), '/.test(read(path)));
  // The configuration and the path of the database, which may lie elsewhere, are files.
  expect(found).toEqual([]);
});

const read = (path: string): string => readFileSync(join(SOURCES, path), 'utf8');
