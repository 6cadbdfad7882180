import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFolders } from './create-folders.ts';

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'folders-'));
});

afterEach(() => rmSync(root, { recursive: true }));

test('all missing folders are created, and the first of them is returned', async () => {
  expect(await createFolders(join(root, 'a/b/c'), 0o700)).toBe(join(root, 'a'));
  expect(statSync(join(root, 'a/b/c')).isDirectory()).toBe(true);
  expect(statSync(join(root, 'a')).mode & 0o777).toBe(0o700);
});

test('an existing folder, also behind a link, is left unchanged', async () => {
  mkdirSync(join(root, 'a'));
  symlinkSync('a', join(root, 'to-a'));
  expect(await createFolders(join(root, 'a'))).toBeUndefined();
  expect(await createFolders(join(root, 'to-a'))).toBeUndefined();
  expect(await createFolders(join(root, 'to-a/b'))).toBe(join(root, 'to-a/b'));
});

test('several may make the same folders at once', async () => {
  const path = join(root, 'a/b/c');
  const firsts = await Promise.all([createFolders(path), createFolders(path), createFolders(path)]);
  expect(firsts).toContain(join(root, 'a'));
});

test.each(['file', 'file/below', 'dangling'])('%s is refused', async (path) => {
  writeFileSync(join(root, 'file'), '');
  symlinkSync('nowhere', join(root, 'dangling'));
  await expect(createFolders(join(root, path))).rejects.toThrow(/ENOTDIR|EEXIST|ENOENT/);
});

test('a folder that cannot be made is an error, not an endless attempt', async () => {
  await expect(createFolders('/proc/no-such-folder/inner')).rejects.toThrow(/ENOENT|EACCES/);
});
