import { lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { runCommand, withDirectory } from '../../testing/run-command.ts';
import { packed, unpackTo } from './local-tar.ts';

const counts = () => ({ files: 0, bytes: 0 });

test('a folder is packed and unpacked with its files, modes and links', () =>
  withDirectory(async (cwd) => {
    const source = join(cwd, 'data');
    await mkdir(join(source, 'sub'), { recursive: true });
    await writeFile(join(source, 'sub', 'a b.txt'), 'hello', { mode: 0o750 });
    await writeFile(join(source, 'empty'), '');
    await symlink('sub/a b.txt', join(source, 'link'));
    const sent = counts();
    const received = counts();
    const target = join(cwd, 'copy');
    await pipeline(Readable.from(packed(source, '.', sent)), unpackTo(target, received));
    expect([sent, received]).toEqual([
      { files: 2, bytes: 5 },
      { files: 2, bytes: 5 },
    ]);
    expect(await readFile(join(target, 'link'), 'utf8')).toBe('hello');
    expect((await lstat(join(target, 'sub', 'a b.txt'))).mode & 0o777).toBe(0o750);
  }));

test('a single file gets the name of the target', () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, 'x'), 'text');
    const target = join(cwd, 'renamed');
    await pipeline(
      Readable.from(packed(join(cwd, 'x'), 'x', counts())),
      unpackTo(target, counts()),
    );
    expect(await readFile(target, 'utf8')).toBe('text');
  }));

test.each([
  ['a parent', [{ name: './../evil' }]],
  ['an absolute name', [{ name: '/tmp/evil' }]],
  ['a link', [{ name: './l', type: 'symlink', linkname: '..' }, { name: './l/evil' }]],
] as const)('an archive of a job cannot write through %s', (_, entries) =>
  withDirectory(async (cwd) => {
    const archive = pack();
    archive.entry({ name: './', type: 'directory' });
    for (const entry of entries) {
      if ('linkname' in entry) archive.entry({ ...entry });
      else archive.entry({ name: entry.name }, 'evil');
    }
    archive.finalize();
    const target = join(cwd, 'in');
    const unpacking = pipeline(Readable.from(archive), unpackTo(target, counts()));
    await expect(unpacking).rejects.toThrow(/invalid name|not a folder/);
    await expect(lstat(join(cwd, 'evil'))).rejects.toThrow('ENOENT');
  }),
);

test.each(['.', 'file'])(
  'an archive of a job cannot replace the target by a link and write through it (%s)',
  (name) =>
    withDirectory(async (cwd) => {
      const outside = join(cwd, 'outside');
      await mkdir(outside);
      const archive = pack();
      archive.entry({ name, type: 'symlink', linkname: outside });
      archive.entry({ name: './evil' }, 'evil');
      archive.finalize();
      const unpacking = pipeline(Readable.from(archive), unpackTo(join(cwd, 'in'), counts()));
      await expect(unpacking).rejects.toThrow('not a folder');
      await expect(lstat(join(outside, 'evil'))).rejects.toThrow('ENOENT');
    }),
);

test('a link that an earlier copy has left is not followed', () =>
  withDirectory(async (cwd) => {
    const outside = join(cwd, 'outside');
    await mkdir(outside);
    await symlink(outside, join(cwd, 'in'));
    const archive = pack();
    archive.entry({ name: './', type: 'directory' });
    archive.entry({ name: './evil' }, 'evil');
    archive.finalize();
    const unpacking = pipeline(Readable.from(archive), unpackTo(join(cwd, 'in'), counts()));
    await expect(unpacking).rejects.toThrow('not a folder');
    await expect(lstat(join(outside, 'evil'))).rejects.toThrow('ENOENT');
  }));

test.each([
  [['a', 'b'], 2, 'both are local paths'],
  [['r1:a', 'r2:b'], 2, 'both are in runs'],
  [['missing', 'r1:b'], 3, 'missing does not exist'],
])('cp %j is refused', async (argv, expected, message) => {
  const { code, err } = await runCommand(['cp', ...argv]);
  expect(code).toBe(expected);
  expect(err).toContain(message);
});
