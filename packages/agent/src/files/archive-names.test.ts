import { expect, it } from 'vitest';
import { ArchiveNames, UnsafeArchive } from './archive-names.ts';

it('a tree is taken as tar programs write it', () => {
  const names = new ArchiveNames();
  expect(names.add('./', 'directory')).toEqual([]);
  expect(names.add('./src/', 'directory')).toEqual(['src']);
  expect(names.add('src//x', 'file')).toEqual(['src', 'x']);
  expect(names.add('implied/y', 'link')).toEqual(['implied', 'y']);
  expect(names.add('implied', 'directory')).toEqual(['implied']);
  expect(names.file('./src/x')).toEqual(['src', 'x']);
});

it.each([
  '..',
  '../x',
  'a/../x',
  '/etc/passwd',
  'a\0b',
  `${'d/'.repeat(201)}x`,
  'n'.repeat(256),
  `${'longer/'.repeat(600)}x`,
])('%j is refused', (name) => {
  expect(() => new ArchiveNames().add(name, 'file')).toThrow(UnsafeArchive);
});

it('an entry behind a link or a file, or a repeated one, is refused', () => {
  const names = new ArchiveNames();
  names.add('link', 'link');
  names.add('file', 'file');
  names.add('dir/x', 'file');
  for (const name of ['link/x', 'file/x', 'link', 'file', 'dir/x', './dir//x']) {
    expect(() => names.add(name, 'file')).toThrow(UnsafeArchive);
  }
  expect(() => names.add('link', 'directory')).toThrow(UnsafeArchive);
  expect(() => names.add('dir', 'link')).toThrow(UnsafeArchive);
  for (const name of ['link', 'dir', 'none', '../x', 'link/x']) {
    expect(() => names.file(name)).toThrow(UnsafeArchive);
  }
});

it('names are shown without characters that a terminal would interpret', () => {
  expect(() => new ArchiveNames().add('../\u001b[2J', 'file')).toThrow('"../\\u001b[2J"');
});

it('an archive has a limited number of entries', () => {
  const names = new ArchiveNames();
  const addAll = () => {
    for (let i = 0; i <= 250_000; i++) names.add('d', 'directory');
  };
  expect(addAll).toThrow('more than 250000 entries');
});
