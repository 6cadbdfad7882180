import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RepoForAgent } from '@dstack/contract/agent';
import { type HttpGit, runGit, startHttpGit, startSshGit } from '@dstack/testkit/git-hosts';
import { type LfsHost, startLfsHost } from '@dstack/testkit/lfs-host';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guardedClone, repoToClone } from '../../testing/test-clone.ts';
import { cloneRepo } from '../git-clone.ts';

/** An address of this computer that other computers reach, as that of a git host. */
const outer = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
if (!outer) console.warn('Guarded clones are NOT tested: this computer has loopback only');

const ATTRIBUTES = '*.bin filter=lfs diff=lfs merge=lfs -text\n';
let root: string;
let git: HttpGit;
let lfs: LfsHost;
let inner: LfsHost;
let pointer: string;
let number = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'lfs-'));
  git = await startHttpGit(outer);
  lfs = await startLfsHost(outer);
  inner = await startLfsHost();
  pointer = lfs.put('the weights\n');
});
afterAll(async () => {
  await git.close();
  lfs.close();
  inner.close();
  rmSync(root, { recursive: true });
});

/** The URL of a new repository with these files. */
function repoWith(files: Record<string, string>, lfsUrl = lfs.url): string {
  const work = join(git.root, `r${++number}`);
  mkdirSync(work);
  runGit(work, 'init', '-q');
  const config = `[lfs]\n\turl = ${lfsUrl}\n`;
  const all = { '.gitattributes': ATTRIBUTES, '.lfsconfig': config, ...files };
  for (const [path, text] of Object.entries(all)) writeFileSync(join(work, path), text);
  if (files['run.bin']) chmodSync(join(work, 'run.bin'), 0o755);
  runGit(work, 'add', '-A');
  runGit(work, 'commit', '-qm', 'with large files');
  return `${git.url}/r${number}/.git`;
}

async function clone(more: Partial<RepoForAgent>): Promise<string> {
  const dir = join(root, `clone-${++number}`);
  const home = join(root, 'home');
  const { signal } = new AbortController();
  const options = { code: null, dir, home, signal, guard: null, user: null };
  await cloneRepo({ ...options, repo: repoToClone(more) });
  return dir;
}

const read = (dir: string, name: string) => readFileSync(join(dir, name), 'utf8');

describe('a clone of a repo with Git LFS', () => {
  it('has the files in place of their pointers, with the permissions of the repo', async () => {
    const copy = 'version of my own\n';
    const dir = await clone({
      clone_url: repoWith({ 'a.bin': pointer, 'run.bin': pointer, 'b.bin': copy, c: pointer }),
    });
    expect(read(dir, 'a.bin')).toBe('the weights\n');
    expect(read(dir, 'run.bin')).toBe('the weights\n');
    expect(statSync(join(dir, 'run.bin')).mode & 0o777).toBe(0o755);
    expect(read(dir, 'b.bin')).toBe(copy);
    expect(read(dir, 'c')).toBe(pointer);
  });

  it('has those of its submodules', async () => {
    const part = repoWith({ 'a.bin': pointer });
    const work = join(git.root, `r${++number}`);
    mkdirSync(work);
    runGit(work, 'init', '-q');
    // Not by `git submodule add`, which would ask the server in this very process.
    const head = runGit(join(git.root, `r${number - 1}`), 'rev-parse', 'HEAD');
    writeFileSync(
      join(work, '.gitmodules'),
      `[submodule "part"]\n\tpath = part\n\turl = ${part}\n`,
    );
    runGit(work, 'add', '.gitmodules');
    runGit(work, 'update-index', '--add', '--cacheinfo', `160000,${head},part`);
    runGit(work, 'commit', '-qm', 'a submodule');
    const dir = await clone({ clone_url: `${git.url}/r${number}/.git` });
    expect(read(dir, 'part/a.bin')).toBe('the weights\n');
  });

  it('keeps the pointers where the job asks for it', async () => {
    const dir = await clone({ clone_url: repoWith({ 'a.bin': pointer }), skip_lfs: true });
    expect(read(dir, 'a.bin')).toBe(pointer);
  });

  it('is refused with the way out where the server lacks a file', async () => {
    const lost = inner.put('only elsewhere');
    await expect(clone({ clone_url: repoWith({ 'a.bin': lost }) })).rejects.toThrow(
      /Git LFS: the server has no file [0-9a-f]{64}: Object does not exist; .*GIT_LFS_SKIP_SMUDGE=1/,
    );
  });

  it('is refused where the server has no Git LFS', async () => {
    const url = repoWith({ 'a.bin': pointer }, git.url);
    await expect(clone({ clone_url: url })).rejects.toThrow(/Git LFS: .* answered \d+/);
  });

  it('is refused where the file is another one than the pointer names', async () => {
    const bad = lfs.put('what was committed');
    lfs.spoil(bad, 'what is delivered!');
    await expect(clone({ clone_url: repoWith({ 'a.bin': bad }) })).rejects.toThrow(
      'the server sent another file than a.bin',
    );
    const long = lfs.put('short');
    lfs.spoil(long, 'much longer than the size in the pointer');
    await expect(clone({ clone_url: repoWith({ 'a.bin': long }) })).rejects.toThrow(
      'a.bin is longer than the size in its pointer',
    );
  });

  it('counts towards the limit of its size before anything is downloaded', async () => {
    const large = pointer.replace(/size .*/, `size ${2 ** 40}`);
    const limits = { bytes: 2 ** 30, seconds: null };
    await expect(clone({ clone_url: repoWith({ 'a.bin': large }), limits })).rejects.toThrow(
      'the clone takes more than 1GB of disk, the limit DSTACK_SERVER_CLONE_MAX_SIZE',
    );
  });

  it('sends the token of the repo to no other host', async () => {
    const before = lfs.requests.length;
    const url = repoWith({ 'a.bin': pointer });
    await clone({ clone_url: url, oauth_token: 'secret' });
    const sent = lfs.requests.slice(before);
    expect(sent).toHaveLength(2);
    expect(sent.map(({ authorization }) => authorization)).toEqual([null, null]);
  });
});

describe.skipIf(!outer)('a guarded clone of a repo with Git LFS', () => {
  const guarded = (more: Partial<RepoForAgent>, name = 'a.bin') =>
    guardedClone(root, more, ({ dir, user }) => ({
      text: read(dir, name),
      isOwn: user === null || statSync(join(dir, name)).uid === user.uid,
    }));

  it('has the files, which belong to its user', async () => {
    const found = await guarded({ clone_url: repoWith({ 'a.bin': pointer }) });
    expect(found).toEqual({ text: 'the weights\n', isOwn: true });
  });

  it('does not reach the host by the address of the server', async () => {
    const before = inner.requests.length;
    const clone_url = repoWith({ 'a.bin': inner.put('x') }, inner.url);
    await expect(guarded({ clone_url })).rejects.toThrow('is an address of the host itself');
    const file = repoWith({ 'a.bin': pointer }, 'file:///etc');
    await expect(guarded({ clone_url: file })).rejects.toThrow('is not https, http or ssh');
    expect(inner.requests).toHaveLength(before);
  });

  it('does not reach the host by the addresses that the server gives for files', async () => {
    const before = inner.requests.length;
    lfs.redirectFiles = inner.url;
    try {
      const clone_url = repoWith({ 'a.bin': pointer });
      await expect(guarded({ clone_url })).rejects.toThrow('is an address of the host itself');
    } finally {
      lfs.redirectFiles = null;
    }
    expect(inner.requests).toHaveLength(before);
  });

  it('by an SSH key asks the host for the server of its files', async () => {
    const ssh = await startSshGit(outer);
    try {
      mkdirSync(join(ssh.root, 'bin'));
      const program = join(ssh.root, 'bin', 'git-lfs-authenticate');
      const answer = JSON.stringify({
        href: `${lfs.url}/own`,
        header: { Authorization: 'Basic x' },
      });
      writeFileSync(program, `#!/bin/sh\necho "$1 $2" >"$0.log"\necho '${answer}'\n`, {
        mode: 0o755,
      });
      const work = join(ssh.root, 'repo');
      mkdirSync(work);
      runGit(work, 'init', '-q');
      writeFileSync(join(work, '.gitattributes'), ATTRIBUTES);
      writeFileSync(join(work, 'a.bin'), pointer);
      runGit(work, 'add', '-A');
      runGit(work, 'commit', '-qm', 'a large file');
      const before = lfs.requests.length;
      const private_key = readFileSync(ssh.key, 'utf8');
      const found = await guarded({ clone_url: `${ssh.url}/repo/.git`, private_key });
      expect(found).toEqual({ text: 'the weights\n', isOwn: true });
      expect(readFileSync(`${program}.log`, 'utf8')).toBe(`${work}/.git download\n`);
      expect(lfs.requests[before]).toEqual({
        path: '/own/objects/batch',
        authorization: 'Basic x',
      });
    } finally {
      await ssh.close();
    }
  });
});
