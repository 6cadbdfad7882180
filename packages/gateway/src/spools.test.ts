import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Spools } from './spools.ts';

it('removes the files in which earlier versions kept counts, and no others', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'dstack-spools-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  const names = ['counts.json', 'sent-counts.json', 'settings.json'];
  for (const name of names) writeFileSync(join(stateDir, name), '[]');
  const spools = new Spools({ stateDir, send: () => false, log: {} as never });
  expect(names.filter((name) => existsSync(join(stateDir, name)))).toEqual(['settings.json']);
  expect(spools.dirs.counts).toBe(join(stateDir, 'counts'));
});
