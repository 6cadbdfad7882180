import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RootedFiles } from './rooted-files.ts';

describe('files below the root of a job', () => {
  let dir: string;
  let root: number;
  let files: RootedFiles;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'rooted-'));
    mkdirSync(join(dir, 'root/a/b'), { recursive: true });
    mkdirSync(join(dir, 'root/etc'));
    writeFileSync(join(dir, 'root/etc/passwd'), 'inside');
    writeFileSync(join(dir, 'secret'), 'outside');
    root = openSync(join(dir, 'root'), constants.O_RDONLY | constants.O_DIRECTORY);
    files = new RootedFiles(root);
  });
  afterEach(() => {
    closeSync(root);
    rmSync(dir, { recursive: true });
  });

  const read = (path: string) =>
    files.at(path, true, (place) =>
      readFileSync(openSync(place.path, constants.O_NOFOLLOW), 'utf8'),
    );

  it('are found by every path that stays inside', () => {
    symlinkSync('../etc', join(dir, 'root/a/relative'));
    symlinkSync('/etc/passwd', join(dir, 'root/a/b/absolute'));
    for (const path of ['/etc/passwd', 'etc//./passwd', '/a/../etc/passwd', '/a/relative/passwd']) {
      expect(read(path)).toBe('inside');
    }
    expect(read('/a/b/absolute')).toBe('inside');
    expect(files.at('/a/b/absolute', true, ({ inside }) => inside)).toBe('/etc/passwd');
    expect(files.at('/a/b/..', true, ({ inside }) => inside)).toBe('/a');
  });

  it('do not lead outside by links or dots', () => {
    symlinkSync('../../../../../../etc/passwd', join(dir, 'root/a/up'));
    symlinkSync(join(dir, 'secret'), join(dir, 'root/a/out'));
    symlinkSync(dir, join(dir, 'root/a/outdir'));
    expect(read('/a/up')).toBe('inside');
    expect(read('/../../../etc/passwd')).toBe('inside');
    expect(() => read('/a/out')).toThrow('ENOENT');
    expect(() => read('/a/outdir/secret')).toThrow('ENOENT');
  });

  it('end a loop of links', () => {
    symlinkSync('loop', join(dir, 'root/loop'));
    expect(() => read('/loop')).toThrow('too many links');
  });

  it('can be created at a missing path, but not through a file', () => {
    files.at('/a/new', true, ({ path }) => writeFileSync(path, 'x'));
    expect(readFileSync(join(dir, 'root/a/new'), 'utf8')).toBe('x');
    expect(() => files.at('/etc/passwd/x', true, () => {})).toThrow('ENOTDIR');
  });

  it('stay the same file while another process exchanges it for a link', () => {
    files.pinned('/etc/passwd', true, (path) => {
      rmSync(join(dir, 'root/etc/passwd'));
      symlinkSync(join(dir, 'secret'), join(dir, 'root/etc/passwd'));
      expect(readFileSync(path, 'utf8')).toBe('inside');
    });
    expect(lstatSync(join(dir, 'secret')).size).toBe(7);
  });

  it('leave no descriptor open', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 50; i++) {
      files.at('/a/b/../b/x', true, () => {});
      expect(() => files.at('/a/none/x', true, () => {})).toThrow('ENOENT');
    }
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });
});
