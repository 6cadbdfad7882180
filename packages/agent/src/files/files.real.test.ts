import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobSpecForAgent, RepoForAgent } from '@dstack/contract/agent';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { type HttpGit, runGit, startHttpGit } from '@dstack/testkit/git-hosts';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec, jobUser } from '../testing/agent-harness.ts';
import { snapshot } from '../testing/snapshot.ts';
import type { TestStream } from '../testing/test-stream.ts';

const missing = dockerMissing();
let host: HttpGit;
let first: string;
let second: string;
let diff: Buffer;

beforeAll(async () => {
  host = await startHttpGit();
  const work = join(host.root, 'origin');
  mkdirSync(work);
  runGit(work, 'init', '-q');
  writeFileSync(join(work, 'a.txt'), 'one\n');
  writeFileSync(join(work, 'run.sh'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
  runGit(work, 'add', '.');
  runGit(work, 'commit', '-qm', 'first');
  first = runGit(work, 'rev-parse', 'HEAD');
  writeFileSync(join(work, 'a.txt'), 'two\r\n');
  runGit(work, 'commit', '-qam', 'second');
  second = runGit(work, 'rev-parse', 'HEAD');
  writeFileSync(join(work, 'a.txt'), 'changed\n');
  writeFileSync(join(work, 'new.bin'), Buffer.from([0, 1, 2, 255]));
  runGit(work, 'add', '-A');
  diff = execFileSync('git', ['diff', '--binary', '--cached', 'HEAD'], { cwd: work });
  runGit(work, 'reset', '-q', '--hard');
});
afterAll(() => host.close());

function remote(more: Partial<RepoForAgent> = {}): RepoForAgent {
  return {
    type: 'remote',
    dir: 'repo',
    exists_action: null,
    clone_url: `${host.url}/origin/.git`,
    branch: 'main',
    hash: second,
    single_branch: true,
    config_name: 'Ann',
    config_email: 'ann@example.com',
    private_key: null,
    oauth_token: null,
    code_sha256: null,
    limits: null,
    skip_lfs: null,
    ...more,
  };
}

async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) {
    if (name.endsWith('/')) tar.entry({ name, type: 'directory' });
    else tar.entry({ name, mode: 0o640 }, text);
  }
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The umask of an agent on a host: other users may not read its files. */
const PRIVATELY = ['sh', '-c', 'umask 077; exec "$0" "$@"'];

/** The same tests for both executors; `spec` makes a job that runs a script. */
function suite(start: () => AgentHarness, spec: typeof jobSpec): void {
  let agent: AgentHarness;
  let stream: TestStream;
  beforeEach(async () => {
    agent = start();
    await agent.start();
    stream = await agent.connect();
  });
  afterEach(async () => {
    await stream.close();
    await agent.dispose();
  });

  async function run(
    job: JobSpecForAgent,
    uploads: { code?: Buffer; archives?: Record<string, Buffer> } = {},
  ): Promise<{ text: string; exit: unknown }> {
    await agent.put(job);
    for (const [id, body] of Object.entries(uploads.archives ?? {})) {
      const { status } = await agent.call('PUT', `/v1/jobs/${job.id}/archives/${id}`, body);
      expect(status).toBe(204);
    }
    if (uploads.code) await agent.call('PUT', `/v1/jobs/${job.id}/code`, uploads.code);
    const { state, text } = await stream.whole(job.id);
    return { text: text.replaceAll('\r', ''), exit: state.exit };
  }

  it('unpacks archives under the names that the run gives them', async () => {
    const tree = await tarOf({ 'src/': '', 'src/x.txt': 'X\n', 'src/sub/y.txt': 'Y\n' });
    const file = await tarOf({ 'key.pem': 'KEY\n' });
    const job = spec(['cat made/here/x.txt made/here/sub/y.txt', 'cat ~/other.pem'], {
      file_archives: [
        { id: 'a1', sha256: sha256(tree), path: 'made/here' },
        { id: 'a2', sha256: sha256(file), path: '~/other.pem' },
      ],
    });
    const { text } = await run(job, { archives: { a1: tree, a2: file } });
    expect(text).toBe('X\nY\nKEY\n');
  });

  it('refuses an archive that leads out of its target', async () => {
    const bad = await tarOf({ 'a/../../../escape': 'x' });
    const job = spec(['echo not reached'], {
      file_archives: [{ id: 'a1', sha256: sha256(bad), path: 'x' }],
    });
    const { exit, text } = await run(job, { archives: { a1: bad } });
    expect(exit).toMatchObject({ status: null, reason: 'executor_error' });
    expect(text).toBe('');
  });

  it('clones a branch and applies the diff', async () => {
    const job = spec(['cd repo && cat a.txt && ./run.sh && wc -c < new.bin'], {
      repo: remote({ code_sha256: sha256(diff) }),
    });
    const { text } = await run(job, { code: diff });
    expect(text).toBe('changed\nran\n4\n');
  });

  it('gives a clone the modes that git has for it', async () => {
    const job = spec(['cd repo && stat -c %a . a.txt run.sh new.bin .git .git/HEAD'], {
      repo: remote({ code_sha256: sha256(diff) }),
    });
    const { text } = await run(job, { code: diff });
    expect(text.trim().split('\n')).toEqual(['755', '644', '755', '644', '755', '644']);
  });

  it('checks out a commit that is not the head of its branch', async () => {
    const job = spec(['cat repo/a.txt repo/.git/HEAD'], { repo: remote({ hash: first }) });
    expect((await run(job)).text).toBe(`one\n${first}\n`);
  });

  it('unpacks the code of a local repo', async () => {
    const code = await tarOf({ './main.py': 'print(1)\n' });
    const repo = remote({ type: 'local', clone_url: null, code_sha256: sha256(code) });
    const { text } = await run(spec(['cat repo/main.py'], { repo }), { code });
    expect(text).toBe('print(1)\n');
  });

  it('reports why a repo could not be set up', async () => {
    const job = spec(['true'], { repo: remote({ clone_url: `${host.url}/missing` }) });
    expect((await run(job)).exit).toMatchObject({
      status: null,
      reason: 'container_exited_with_error',
      message: expect.stringMatching(/^Failed to set up the repo \(.*missing.*\)$/),
    });
  });

  it('leaves tokens in the home of the job, not in the clone', async () => {
    const job = spec(['cat ~/.config/gh/hosts.yml', 'grep -rc s3cr3t repo/.git/config'], {
      repo: remote({ oauth_token: 's3cr3t' }),
    });
    expect((await run(job)).text).toMatch(/oauth_token: "s3cr3t"\n0\n$/);
  });
}

describe('files of the process executor', () => {
  suite(() => new AgentHarness(undefined, undefined, undefined, PRIVATELY), jobSpec);
});

describe('the process executor on an SSH host', () => {
  let agent: AgentHarness;
  let stream: TestStream;
  let user: string;
  beforeEach(async () => {
    agent = new AgentHarness(undefined, undefined, undefined, PRIVATELY);
    user = join(agent.dir, 'user');
    mkdirSync(user);
    chmodSync(agent.dir, 0o755);
    await agent.start();
    stream = await agent.connect();
  });
  afterEach(async () => {
    await stream.close();
    await agent.dispose();
  });

  async function run(path: string, more: Partial<JobSpecForAgent> = {}) {
    const tar = await tarOf({ 'top/': '', 'top/x.txt': 'X\n' });
    const file_archives = [{ id: 'a1', sha256: sha256(tar), path }];
    const job = jobSpec([`cat ${path}/x.txt`, 'id -un'], { file_archives, ...more });
    await agent.put(job);
    await agent.call('PUT', `/v1/jobs/${job.id}/archives/a1`, tar);
    const { state, text } = await stream.whole(job.id);
    return { text: text.replaceAll('\r', ''), exit: state.exit };
  }

  it('refuses to replace the directory that the files came from, and names it', async () => {
    runGit(user, 'init', '-q', 'project');
    const project = join(user, 'project');
    writeFileSync(join(project, '.gitignore'), 'data\n');
    writeFileSync(join(project, 'data'), 'worth a week of work\n');
    const before = snapshot(project);
    const { exit, text } = await run(project);
    expect(exit).toMatchObject({
      status: null,
      reason: 'executor_error',
      message: expect.stringContaining(`${project} exists and is not empty`),
    });
    expect(text).toBe('');
    expect(snapshot(project)).toEqual(before);
  });

  it.each([
    ['error', null],
    ['skip', 0],
    [null, 0],
  ] as const)(
    'leaves a repo’s directory unchanged where %s is set',
    async (exists_action, status) => {
      const dir = join(user, 'repo');
      mkdirSync(dir);
      writeFileSync(join(dir, 'mine'), 'mine\n');
      const before = snapshot(dir);
      const job = jobSpec(['true'], { repo: remote({ dir, exists_action }) });
      await agent.put(job);
      expect((await stream.whole(job.id)).state.exit?.status).toBe(status);
      expect(snapshot(dir)).toEqual(before);
    },
  );

  it('puts files with the rights of the user who runs the job', async () => {
    const asNobody = { user: jobUser({ username: 'nobody' }) };
    const [own, others] = [join(user, 'own'), join(user, 'others')];
    mkdirSync(own);
    mkdirSync(others, { mode: 0o755 });
    chmodSync(user, 0o755);
    chmodSync(others, 0o755);
    const uid = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
    chownSync(own, uid, -1);
    expect(await run(`${own}/d`, asNobody)).toMatchObject({ text: 'X\nnobody\n' });
    expect(statSync(`${own}/d/x.txt`).uid).toBe(uid);
    const { exit } = await run(`${others}/d`, asNobody);
    expect(exit?.message).toContain(`EACCES`);
    expect(exit?.message).toContain(others);
    expect(readdirSync(others)).toEqual([]);
    const repo = remote({ dir: 'repo', code_sha256: sha256(diff) });
    const job = jobSpec(['cat repo/a.txt', 'cd repo && git rev-parse --abbrev-ref HEAD'], {
      ...asNobody,
      repo,
    });
    await agent.put(job);
    await agent.call('PUT', `/v1/jobs/${job.id}/code`, diff);
    expect((await stream.whole(job.id)).text).toBe('changed\r\nmain\r\n');
  });
});

describe('an agent that is killed while it puts files in place', () => {
  const NOBODY = { user: jobUser({ username: 'nobody' }) };
  const KILLS = [
    { ms: 0 },
    { ms: 20 },
    { ms: 60 },
    ...[0, 80, 120, 200].map((ms) => ({ ms, ...NOBODY })),
  ];

  it('has a successor that continues with them, and treats them as the job’s own', async () => {
    const agent = new AgentHarness(undefined, undefined, undefined, PRIVATELY);
    const user = join(agent.dir, 'user');
    mkdirSync(user);
    chmodSync(agent.dir, 0o755);
    chmodSync(user, 0o777);
    await agent.start();
    let stream = await agent.connect();
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`top/f${n}`, `${n}\n`]));
    const tar = await tarOf({ 'top/': '', ...many });
    const places = [`${user}/new/dir`, `${user}/empty`, 'own'];
    const file_archives = places.map((path, n) => ({ id: `a${n}`, sha256: sha256(tar), path }));
    for (const { ms, ...more } of KILLS) {
      for (const name of ['new', 'empty'])
        rmSync(join(user, name), { recursive: true, force: true });
      mkdirSync(join(user, 'empty'));
      chmodSync(join(user, 'empty'), 0o777);
      const counts = places.map((path) => `ls ${path} | wc -l`);
      const job = jobSpec(counts, { file_archives, repo: remote(), ...more });
      await agent.put(job);
      for (const { id } of file_archives) {
        await agent.call('PUT', `/v1/jobs/${job.id}/archives/${id}`, tar);
      }
      await delay(ms);
      stream = await agent.restartAfterKill(stream);
      const { state, text } = await stream.whole(job.id);
      expect(state.exit).toMatchObject({ status: 0, message: null });
      expect(text).toBe('300\r\n300\r\n300\r\n');
      expect(readdirSync(user).sort()).toEqual(['empty', 'new']);
    }
    await stream.close();
    await agent.dispose();
  });
});

describe.skipIf(missing !== null)('files of the Docker executor', () => {
  let engine: TestDocker;
  beforeAll(async () => {
    engine = await startDocker();
    await engine.busybox('busybox:test', ['WORKDIR /root']);
  });
  afterAll(() => engine.close());
  suite(
    () => {
      const env = { DOCKER_HOST: engine.host };
      return new AgentHarness(['--executor', 'docker'], env, undefined, PRIVATELY);
    },
    (lines, more) =>
      jobSpec([], {
        shell_commands: null,
        commands: ['/bin/sh', '-c', lines.join(' && ')],
        // The git host of these tests is on loopback.
        host_access: { repos: true, images: true },
        ...more,
      }),
  );
});
