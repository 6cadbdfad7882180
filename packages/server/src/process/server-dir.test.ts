import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closeSecrets, makeServerDir } from './server-dir.ts';
import { StartError } from './start-error.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'server-dir-'));
  writeFileSync(join(root, 'file'), '');
});
afterEach(() => rmSync(root, { recursive: true }));

it('creates the folder with its parents for its owner only, once', async () => {
  await makeServerDir(join(root, 'a/b'));
  await makeServerDir(join(root, 'a/b'));
  expect(statSync(join(root, 'a/b')).mode & 0o777).toBe(0o700);
});

it('makes a configuration and a database private, and nothing else', async () => {
  chmodSync(root, 0o755);
  for (const name of ['config.yml', 'mine']) writeFileSync(join(root, name), '', { mode: 0o644 });
  mkdirSync(join(root, 'data'), { mode: 0o755 });
  expect(await closeSecrets(root)).toEqual([
    { path: join(root, 'config.yml'), failed: null },
    { path: join(root, 'data'), failed: null },
  ]);
  const modes = ['', 'config.yml', 'data', 'mine'].map((name) => statSync(join(root, name)).mode);
  expect(modes.map((mode) => mode & 0o777)).toEqual([0o755, 0o640, 0o750, 0o644]);
  expect(await closeSecrets(root)).toEqual([]);
});

it('has no secrets to protect before they exist', async () => {
  expect(await closeSecrets(root)).toEqual([]);
});

it.each(['file', 'file/below'])('refuses %s, with the next step', async (path) => {
  const failure = makeServerDir(join(root, path));
  await expect(failure).rejects.toBeInstanceOf(StartError);
  await expect(failure).rejects.toMatchObject({
    next: expect.stringContaining('DSTACK_SERVER_DIR'),
  });
});

it('does not loop for ever if no folder can be created', async () => {
  await expect(makeServerDir('/proc/no-such-folder/server')).rejects.toThrow('cannot be used');
});
