import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeServerDir } from './server-dir.ts';
import { StartError } from './start-error.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'server-dir-'));
  writeFileSync(join(root, 'file'), '');
});
afterEach(() => rmSync(root, { recursive: true }));

it('makes the folder with its parents for nobody else, once', async () => {
  await makeServerDir(join(root, 'a/b'));
  await makeServerDir(join(root, 'a/b'));
  expect(statSync(join(root, 'a/b')).mode & 0o777).toBe(0o700);
});

it.each(['file', 'file/below'])('refuses %s, with what to do', async (path) => {
  const failure = makeServerDir(join(root, path));
  await expect(failure).rejects.toBeInstanceOf(StartError);
  await expect(failure).rejects.toMatchObject({
    next: expect.stringContaining('DSTACK_SERVER_DIR'),
  });
});

it('does not try for ever where no folder can be made', async () => {
  await expect(makeServerDir('/proc/no-such-folder/server')).rejects.toThrow('cannot be used');
});
