import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RepoForAgent } from '@dstack/contract/agent';
import { type HttpGit, newRepo, runGit, startHttpGit } from '@dstack/testkit/git-hosts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cloneRepo } from './git-clone.ts';

let host: HttpGit;
let root: string;
let secret: string;
let number = 0;

beforeAll(async () => {
  host = await startHttpGit();
  root = mkdtempSync(join(tmpdir(), 'clone-'));
  secret = newRepo(root, 'secret', { 'key.txt': 'of the host\n' });
  newRepo(host.root, 'plain', { 'a.txt': 'A\n' });
});
afterAll(async () => {
  await host.close();
  rmSync(root, { recursive: true });
});

async function clone(more: Partial<RepoForAgent>): Promise<string> {
  const dir = join(root, `clone-${++number}`);
  const repo: RepoForAgent = {
    ...{ type: 'remote', dir: '.', exists_action: null, clone_url: `${host.url}/plain.git` },
    ...{ branch: null, hash: null, single_branch: true, config_name: null, config_email: null },
    ...{ private_key: null, oauth_token: null, code_sha256: null, limits: null, skip_lfs: null },
    ...more,
  };
  const { signal } = new AbortController();
  await cloneRepo({
    repo,
    code: null,
    dir,
    home: join(root, 'home'),
    signal,
    guard: null,
    user: null,
  });
  return dir;
}

it.each([
  ['hash', (marker: string) => ({ hash: `--upload-pack=touch ${marker}` })],
  ['branch', (marker: string) => ({ branch: `x --upload-pack=touch ${marker}` })],
  ['URL', (marker: string) => ({ clone_url: `--upload-pack=touch ${marker}` })],
  ['helper', (marker: string) => ({ clone_url: `ext::sh -c touch% ${marker}` })],
])('runs no command that comes as a %s', async (_, more) => {
  const marker = join(root, 'marker');
  await expect(clone(more(marker))).rejects.toMatchObject({
    reason: 'container_exited_with_error',
    message: expect.stringContaining('Failed to set up the repo (what to clone must be'),
  });
  expect(existsSync(marker)).toBe(false);
});

it('reads no repository of this host, not even as a submodule', async () => {
  await expect(clone({ clone_url: secret })).rejects.toThrow('what to clone must be a URL');
  await expect(clone({ clone_url: `file://${secret}` })).rejects.toThrow('must be a URL');
  const outer = join(host.root, 'outer');
  mkdirSync(outer);
  runGit(outer, 'init', '-q');
  runGit(
    outer,
    '-c',
    'protocol.file.allow=always',
    'submodule',
    '--quiet',
    'add',
    `file://${secret}`,
  );
  runGit(outer, 'commit', '-qm', 'a submodule of the host');
  await expect(clone({ clone_url: `${host.url}/outer/.git` })).rejects.toThrow(
    "transport 'file' not allowed",
  );
  rmSync(outer, { recursive: true });
});

it('follows no setting of the user that it runs as', async () => {
  const home = mkdtempSync(join(tmpdir(), 'clone-home-'));
  const settings = `[url "${host.url}/"]\n\tinsteadOf = https://internal.invalid/\n`;
  writeFileSync(join(home, '.gitconfig'), settings);
  const before = process.env.HOME;
  process.env.HOME = home;
  try {
    await expect(clone({ clone_url: 'https://internal.invalid/plain.git' })).rejects.toThrow();
  } finally {
    process.env.HOME = before;
    rmSync(home, { recursive: true });
  }
});

it('treats a name that looks like an option as a name, and leaves nothing but the clone', async () => {
  const dir = await clone({ config_name: '--edit', config_email: '--file=/etc/passwd' });
  expect(runGit(dir, 'config', '--local', 'user.name')).toBe('--edit');
  expect(runGit(dir, 'config', '--local', 'user.email')).toBe('--file=/etc/passwd');
  expect(readFileSync(join(dir, 'a.txt'), 'utf8')).toBe('A\n');
  expect(existsSync(join(root, 'home'))).toBe(false);
});

describe('the limits of the server', () => {
  it('end a clone that takes too much of the disk, and name the setting', async () => {
    newRepo(host.root, 'large', { 'x.bin': randomBytes(3_000_000).toString('latin1') });
    const limits = { bytes: 2 ** 20, seconds: null };
    await expect(clone({ clone_url: `${host.url}/large.git`, limits })).rejects.toThrow(
      'Failed to set up the repo (the clone takes more than 1MB of disk, the limit DSTACK_SERVER_CLONE_MAX_SIZE of the server: clone less of it, or let an administrator',
    );
    const dir = await clone({ limits: { bytes: 2 ** 20, seconds: 600 } });
    expect(readFileSync(join(dir, 'a.txt'), 'utf8')).toBe('A\n');
  });

  it('end a clone that takes too long, with every program of it', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const closed = once(silent, 'connection').then(([socket]) => once(socket.resume(), 'close'));
    const { port } = silent.address() as AddressInfo;
    const limits = { bytes: null, seconds: 1 };
    await expect(clone({ clone_url: `http://127.0.0.1:${port}/x.git`, limits })).rejects.toThrow(
      'the clone took longer than 1 seconds, the limit DSTACK_SERVER_CLONE_TIMEOUT of the server',
    );
    await closed;
    silent.close();
  });
});
