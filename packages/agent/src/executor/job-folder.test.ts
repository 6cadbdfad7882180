import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JobFolder } from './job-folder.ts';

let root = '';
let folder: JobFolder;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'job-folder-'));
  folder = new JobFolder(root, '11111111-1111-4111-8111-111111111111', root);
  folder.make();
});

afterEach(() => rmSync(root, { recursive: true }));

test('what is mounted in the home of a job is not emptied with it', async (context) => {
  const data = join(root, 'data');
  const mount = join(folder.home, 'data');
  for (const path of [data, mount, folder.spool]) mkdirSync(path, { recursive: true });
  writeFileSync(join(data, 'precious'), '');
  if (spawnSync('mount', ['--bind', data, mount]).status !== 0) context.skip('may not mount');
  try {
    await expect(folder.remove()).rejects.toThrow(`something is still mounted at ${mount}`);
  } finally {
    spawnSync('umount', [mount]);
  }
  expect(existsSync(join(data, 'precious'))).toBe(true);
  expect(existsSync(folder.spool)).toBe(false);
  await folder.remove();
  expect(existsSync(folder.path)).toBe(false);
});
