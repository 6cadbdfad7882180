import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Bed, openBed } from './beds.ts';

/** Opens beds whose program notes in a file which of them it ends. */
function beds() {
  const dir = mkdtempSync(join(tmpdir(), 'beds-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const script = join(dir, 'script');
  const ended = join(dir, 'ended');
  writeFileSync(script, `#!/bin/sh\necho "$1 $NAME" >> ${ended}\n`, { mode: 0o755 });
  return {
    open: (name: string) =>
      openBed({ at: join(dir, 'bed-'), script, settings: () => ({ NAME: name }) }),
    ended: () => (existsSync(ended) ? readFileSync(ended, 'utf8') : ''),
  };
}

/** As if another process had opened it. */
function give(bed: Bed, owner: object): void {
  const path = join(bed.dir, 'owner.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...owner }));
}

it('what a killed process left is ended with its own settings before another bed is opened', () => {
  const { open, ended } = beds();
  const left = open('first');
  give(left, { pid: 4_194_305 });
  const next = open('second');
  expect(ended()).toBe('down first\n');
  expect([left, next].map(({ dir }) => existsSync(dir))).toEqual([false, true]);
});

it('a process with the same id that started later owns nothing of it', () => {
  const { open, ended } = beds();
  give(open('first'), { started: '1' });
  open('second');
  expect(ended()).toBe('down first\n');
});

it('the beds of processes that run stay', () => {
  const { open, ended } = beds();
  const dirs = [open('first'), open('second'), open('third')].map(({ dir }) => dir);
  expect(dirs.every(existsSync)).toBe(true);
  expect(ended()).toBe('');
});

it.skipIf(process.getuid?.() !== 0)(
  'a folder of another user names nothing that is to be ended',
  () => {
    const { open, ended } = beds();
    const left = open('first');
    give(left, { pid: 4_194_305 });
    chownSync(left.dir, 65_534, 65_534);
    open('second');
    expect(ended()).toBe('');
    expect(existsSync(left.dir)).toBe(true);
  },
);
