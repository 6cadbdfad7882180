import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serverConfigPath } from '../process/server-folders.ts';
import { StartError } from '../process/start-error.ts';
import { loadServerConfig } from './config-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('plugins in config.yml', () => {
  it('keep the server from starting, and the file stays unchanged', async () => {
    const text = 'projects: []\nplugins: [rest_plugin]\n';
    writeFileSync(serverConfigPath(dir), text);
    const loaded = loadServerConfig(dir, { makeKey: true });
    await expect(loaded).rejects.toThrow(StartError);
    await expect(loaded).rejects.toThrow(
      /config\.yml: `plugins` \(rest_plugin\) are not supported/,
    );
    expect(readFileSync(serverConfigPath(dir), 'utf8')).toBe(text);
  });

  it('may be an empty list', async () => {
    writeFileSync(serverConfigPath(dir), 'projects: []\nplugins: []\n');
    expect((await loadServerConfig(dir, { makeKey: true })).config.plugins).toEqual([]);
  });
});
