import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { snapshot } from '../testing/snapshot.ts';
import { PlacementLedger } from './placement-ledger.ts';
import { Publisher } from './publish.ts';

let root: string;
let stage: string;
let user: string;
let publisher: Publisher;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'publish-'));
  [stage, user] = [join(root, 'stage'), join(root, 'user')];
  mkdirSync(join(stage, 'tree/sub'), { recursive: true });
  writeFileSync(join(stage, 'tree/sub/x'), 'X');
  writeFileSync(join(stage, 'file'), 'F');
  mkdirSync(user);
  publisher = new Publisher(new PlacementLedger(stage, 'job-1'), new AbortController().signal);
});
afterEach(() => rmSync(root, { recursive: true }));

const publish = (name: 'tree' | 'file', path: string, state: 'absent' | 'empty' = 'absent') =>
  publisher.publish({ staged: join(stage, name), target: { path: join(user, path), state } });

/** Entries that another process may put at a target after it was checked. */
const INTRUDERS: Readonly<Record<string, (path: string) => void>> = {
  'a file': (path) => writeFileSync(path, 'mine'),
  'an empty file': (path) => writeFileSync(path, ''),
  'a full directory': (path) => mkdirSync(join(path, 'mine'), { recursive: true }),
  'a link to a directory': (path) => symlinkSync('/tmp', path),
  'a link to nowhere': (path) => symlinkSync('nowhere', path),
};

it.each(Object.keys(INTRUDERS))(
  '%s that has appeared at the target is left unchanged',
  async (kind) => {
    INTRUDERS[kind]?.(join(user, 'place'));
    const before = snapshot(user);
    for (const name of ['tree', 'file'] as const) {
      await expect(publish(name, 'place')).rejects.toThrow(join(user, 'place'));
      publisher.undo();
      expect(snapshot(user)).toEqual(before);
    }
  },
);

it('a directory that is no longer empty is left unchanged', async () => {
  mkdirSync(join(user, 'place'));
  writeFileSync(join(user, 'place/sub'), 'mine');
  const before = snapshot(user);
  await expect(publish('tree', 'place', 'empty')).rejects.toThrow(
    'place/sub has appeared meanwhile',
  );
  expect(snapshot(user)).toEqual(before);
});

it('a link that has appeared above the target is not followed', async () => {
  const other = join(root, 'other');
  mkdirSync(other);
  symlinkSync(other, join(user, 'a'));
  for (const path of ['a/tree', 'a/b/tree']) {
    await expect(publish('tree', path)).rejects.toThrow(/ENOTDIR.*user\/a'/);
  }
  expect(readdirSync(other)).toEqual([]);
});

it('everything is reverted, except files that others have put beside it or in its place', async () => {
  await publish('tree', 'new/tree');
  await publish('file', 'new/deep/file');
  rmSync(join(user, 'new/deep/file'));
  writeFileSync(join(user, 'new/deep/file'), 'mine, by the same name');
  publisher.undo();
  expect(Object.keys(snapshot(user))).toEqual(['', 'new', 'new/deep', 'new/deep/file']);
});
