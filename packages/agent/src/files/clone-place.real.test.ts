import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RepoForAgent } from '@dstack/contract/agent';
import {
  type HttpGit,
  newRepo,
  runGit,
  startHttpGit,
  startSshGit,
} from '@dstack/testkit/git-hosts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CloneGuard } from './clone-guard.ts';
import { type ClonePlace, clonesOf, makeClonePlace, removeClones, usesSsh } from './clone-place.ts';
import { cloneRepo } from './git-clone.ts';

/** An address of this computer that other computers reach, as that of a git host. */
const outer = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
if (!outer) console.warn('Guarded clones are NOT tested: this computer has loopback only');

let host: HttpGit;
let inner: HttpGit;
let stateDir: string;

beforeAll(async () => {
  host = await startHttpGit(outer);
  inner = await startHttpGit();
  stateDir = mkdtempSync(join(tmpdir(), 'clone-state-'));
  newRepo(host.root, 'plain', { 'a.txt': 'A\n' });
  newRepo(inner.root, 'secret', { 'key.txt': 'of the host\n' });
});
afterAll(async () => {
  await host.close();
  await inner.close();
  rmSync(stateDir, { recursive: true });
});

const isRoot = process.getuid?.() === 0;
const JOB = randomUUID();

async function clone<T>(more: Partial<RepoForAgent>, look: (place: ClonePlace) => T): Promise<T> {
  const repo: RepoForAgent = {
    ...{ type: 'remote', dir: '.', exists_action: null, clone_url: `${host.url}/plain.git` },
    ...{ branch: null, hash: null, single_branch: true, config_name: null, config_email: null },
    ...{ private_key: null, oauth_token: null, code_sha256: null, limits: null, skip_lfs: null },
    ...more,
  };
  const scratch = join(stateDir, 'jobs', JOB, 'scratch');
  const needsName = usesSsh(repo);
  const place = await makeClonePlace({ jobId: JOB, scratch, stateDir, needsName });
  const guard = await CloneGuard.open(place.guard);
  try {
    const { signal } = new AbortController();
    await cloneRepo({ repo, code: null, ...place, signal, guard });
    return look(place);
  } finally {
    guard.close();
    await place.remove();
    expect(existsSync(place.dir)).toBe(false);
  }
}

/** A repository on the host with this submodule. */
function withSubmodule(name: string, url: string): string {
  const work = join(host.root, `${name}-outer`);
  mkdirSync(work);
  runGit(work, 'init', '-q');
  const [head = ''] = runGit(join(host.root, 'plain-work'), 'rev-parse', 'HEAD').split('\n');
  writeFileSync(join(work, '.gitmodules'), `[submodule "m"]\n\tpath = m\n\turl = ${url}\n`);
  runGit(work, 'add', '.gitmodules');
  runGit(work, 'update-index', '--add', '--cacheinfo', `160000,${head},m`);
  runGit(work, 'commit', '-qm', 'a submodule');
  return `${host.url}/${name}-outer/.git`;
}

describe.skipIf(!outer)('a guarded clone', () => {
  it.runIf(isRoot)('is made by a user that owns nothing else, and leaves nothing', async () => {
    const [owner, text] = await clone({}, ({ dir }) => [
      lstatSync(join(dir, 'a.txt')).uid,
      readFileSync(join(dir, 'a.txt'), 'utf8'),
    ]);
    expect(owner).toBeGreaterThanOrEqual(0x7000_0000);
    expect(text).toBe('A\n');
    expect(existsSync(clonesOf(stateDir))).toBe(false);
  });

  it.runIf(isRoot)(
    'with a key is made by the user 65534, since OpenSSH refuses users without a name',
    async () => {
      const key = '-----BEGIN OPENSSH PRIVATE KEY-----\n';
      const owner = await clone(
        { private_key: key },
        ({ dir }) => lstatSync(join(dir, 'a.txt')).uid,
      );
      expect(owner).toBe(65_534);
    },
  );

  it.each([
    ['an address', () => `${inner.url}/secret.git`],
    ['a name', () => `${inner.url.replace('127.0.0.1', 'localhost')}/secret.git`],
    ['IPv6', () => 'http://[::1]:9/x.git'],
    ['the metadata of a cloud', () => 'http://169.254.169.254/x.git'],
    ['SSH', () => 'ssh://git@127.0.0.1/x.git'],
    ['SSH by its short form', () => 'git@localhost:x.git'],
  ])('does not reach the host by %s', async (_, url) => {
    const refused = clone({ clone_url: url() }, () => {});
    await expect(refused).rejects.toThrow('is an address of the host itself');
  });

  it('does not reach the host by a redirect', async () => {
    const server = createServer((request, response) => {
      response
        .writeHead(302, { location: `${inner.url}/secret.git${request.url?.slice(2)}` })
        .end();
    });
    server.listen(0, outer);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const refused = clone({ clone_url: `http://${outer}:${port}/r` }, () => {});
    await expect(refused).rejects.toThrow('is an address of the host itself');
    server.close();
  });

  it.each([
    ['http', () => `${inner.url}/secret.git`, 'is an address of the host itself'],
    ['ssh', () => 'ssh://git@127.0.0.1/x.git', 'is an address of the host itself'],
    ['shell', () => 'ssh://git@`touch${IFS}/tmp/dstack-marker`/x.git', 'not a host'],
    ['file', () => 'file:///etc', "transport 'file' not allowed"],
    ['ext', () => 'ext::sh -c touch% /tmp/dstack-marker', "transport 'ext' not allowed"],
    ['git', () => 'git://127.0.0.1/x.git', "transport 'git' not allowed"],
  ])('does not reach the host by a submodule: %s', async (name, url, why) => {
    const refused = clone({ clone_url: withSubmodule(name, url()) }, () => {});
    await expect(refused).rejects.toThrow(why);
    expect(existsSync('/tmp/dstack-marker')).toBe(false);
  });

  it('has its submodules of other hosts', async () => {
    const url = withSubmodule('good', `${host.url}/plain.git`);
    const text = await clone({ clone_url: url }, ({ dir }) =>
      readFileSync(join(dir, 'm', 'a.txt')),
    );
    expect(String(text)).toBe('A\n');
  });

  it('is made by an SSH key, and by no other key of the host', async () => {
    const ssh = await startSshGit(outer);
    try {
      newRepo(ssh.root, 'private', { 'b.txt': 'B\n' });
      const key = { private_key: readFileSync(ssh.key, 'utf8') };
      const url = `${ssh.url}/private.git`;
      const text = await clone({ clone_url: url, ...key }, ({ dir }) =>
        readFileSync(join(dir, 'b.txt'), 'utf8'),
      );
      expect(text).toBe('B\n');
      const user = ssh.url.replace(/^ssh:..([^@]+)@.*/, '$1');
      const outsider = clone({ clone_url: url }, () => {});
      await expect(outsider).rejects.toThrow(`${user}@${outer}: Permission denied (publickey`);
    } finally {
      await ssh.close();
    }
  });

  it('tries OpenSSH at the checked address of a host', async () => {
    const refused = clone({ clone_url: `ssh://git@${outer}:9/x.git` }, () => {});
    await expect(refused).rejects.toThrow(/port 9: Connection refused|Could not read from remote/);
  });

  it.runIf(isRoot)('that an agent did not end is removed by the next one', async () => {
    const scratch = join(stateDir, 'x');
    const made = { jobId: randomUUID(), scratch, stateDir, needsName: false };
    const { dir, user } = await makeClonePlace(made);
    expect(user).not.toBeNull();
    await removeClones(stateDir, (id) => id !== made.jobId);
    expect(existsSync(dirname(dir))).toBe(true);
    await removeClones(stateDir, (id) => id === made.jobId);
    expect(existsSync(clonesOf(stateDir))).toBe(false);
  });
});
