import { mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withDirectory } from '../testing/run-command.ts';
import { makeFolders } from './make-folders.ts';

test('missing folders are created for the owner only, also when several callers create the same one', () =>
  withDirectory(async (root) => {
    const path = join(root, 'a/b');
    await Promise.all([makeFolders(path), makeFolders(path), makeFolders(path)]);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, 'a'))).mode & 0o777).toBe(0o700);
  }));

test('an existing folder, also behind a link, is left unchanged', () =>
  withDirectory(async (root) => {
    await mkdir(join(root, 'a'), { mode: 0o755 });
    await symlink('a', join(root, 'to-a'));
    await makeFolders(join(root, 'to-a'));
    expect((await stat(join(root, 'a'))).mode & 0o777).toBe(0o755);
  }));

test.each(['file', 'file/below', 'dangling'])('%s is refused', (path) =>
  withDirectory(async (root) => {
    await writeFile(join(root, 'file'), '');
    await symlink('nowhere', join(root, 'dangling'));
    await expect(makeFolders(join(root, path))).rejects.toThrow(path.split('/')[0]);
  }),
);

test('a folder that cannot be created is an error, not an endless loop', async () => {
  await expect(makeFolders('/proc/no-such-folder/inner')).rejects.toThrow('/proc/no-such-folder');
});
