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

describe('a value of config.yml that YAML changes', () => {
  const backend = (id: string) =>
    `projects:\n- name: main\n  backends:\n  - type: azure\n    subscription_id: ${id}\n    tenant_id: t\n    creds: {type: default}\n`;

  it('is named with its place', async () => {
    const path = serverConfigPath(dir);
    writeFileSync(path, backend('0123'));
    const { warnings } = await loadServerConfig(dir, { makeKey: false });
    expect(warnings).toEqual([
      `${path}:5:5: projects.0.backends.0.subscription_id is read by YAML as the number 83: quote it ('0123') if that is not meant`,
    ]);
  });

  it('is not named where it is in quotes', async () => {
    writeFileSync(serverConfigPath(dir), backend('"0123"'));
    expect((await loadServerConfig(dir, { makeKey: false })).warnings).toEqual([]);
  });
});
