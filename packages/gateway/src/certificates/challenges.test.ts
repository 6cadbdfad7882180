import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fileChallenges } from './challenges.ts';

it('the user of nginx can read the proof of a name, whatever the mask of the program is', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'challenges-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const mask = process.umask(0o077);
  try {
    await fileChallenges(dir).show({ name: 'a.apps.test', token: 'token', content: 'proof' });
  } finally {
    process.umask(mask);
  }
  expect(statSync(join(dir, 'token')).mode & 0o777).toBe(0o644);
});
