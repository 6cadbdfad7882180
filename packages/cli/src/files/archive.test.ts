import { execFileSync } from 'node:child_process';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { withDirectory } from '../testing/run-command.ts';
import { type Archive, packPath } from './archive.ts';

async function entriesOf(archive: Archive): Promise<string[]> {
  const names: string[] = [];
  const reader = extract();
  Readable.from([archive.bytes]).pipe(reader);
  for await (const entry of reader) {
    const { name, type, linkname } = entry.header;
    names.push(type === 'symlink' ? `${name} -> ${linkname}` : name);
    entry.resume();
  }
  return names;
}

async function tree(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

test('a directory is packed under its name, without ignored files', () =>
  withDirectory(async (path) => {
    await tree(path, {
      'code/.gitignore': '*.log\n!keep.log\nbuild/\n',
      'code/sub/.dstackignore': 'secret.txt\n',
      'code/a.txt': 'a',
      'code/.hidden': 'h',
      'code/x.log': 'x',
      'code/keep.log': 'k',
      'code/build/out': 'o',
      'code/sub/secret.txt': 's',
      'code/sub/b.txt': 'b',
      'code/.git/config': 'g',
    });
    expect(await entriesOf(await packPath(join(path, 'code')))).toEqual([
      'code/',
      'code/.gitignore',
      'code/.hidden',
      'code/a.txt',
      'code/keep.log',
      'code/sub/',
      'code/sub/.dstackignore',
      'code/sub/b.txt',
    ]);
  }));

test('links to targets inside stay links, links to targets outside become their files', () =>
  withDirectory(async (path) => {
    await tree(path, { 'd/a.txt': 'a', 'outside.txt': 'out' });
    await symlink('a.txt', join(path, 'd', 'in'));
    await symlink('../outside.txt', join(path, 'd', 'out'));
    await symlink('nowhere', join(path, 'd', 'dangling'));
    expect(await entriesOf(await packPath(join(path, 'd')))).toEqual([
      'd/',
      'd/a.txt',
      'd/in -> a.txt',
      'd/out',
    ]);
  }));

test('equal content has an equal hash, whatever its times', () =>
  withDirectory(async (path) => {
    await tree(path, { 'one/d/a.txt': 'a', 'two/d/a.txt': 'a', 'three/d/a.txt': 'b' });
    await utimes(join(path, 'two', 'd', 'a.txt'), 1, 1);
    const [one, two, three] = await Promise.all(
      ['one', 'two', 'three'].map((name) => packPath(join(path, name, 'd'))),
    );
    expect(one?.hash).toBe(two?.hash);
    expect(one?.hash).not.toBe(three?.hash);
  }));

test('a single file is packed under its name', () =>
  withDirectory(async (path) => {
    await tree(path, { 'a.txt': 'abc' });
    const archive = await packPath(join(path, 'a.txt'));
    expect(await entriesOf(archive)).toEqual(['a.txt']);
    expect(archive.files).toEqual([{ path: 'a.txt', size: 3 }]);
  }));

test('a pipe is neither packed nor read for rules', () =>
  withDirectory(async (path) => {
    await tree(path, { 'code/a.txt': 'a' });
    execFileSync('mkfifo', [join(path, 'code/pipe'), join(path, 'code/.dstackignore')]);
    expect(await entriesOf(await packPath(join(path, 'code')))).toEqual(['code/', 'code/a.txt']);
  }));
