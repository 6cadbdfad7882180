import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dockerMissing } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SshClient } from '../../testing/ssh-client.ts';
import { SshJobs } from '../../testing/ssh-jobs.ts';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';
const PROGRAMS = ['/usr/bin/scp', '/usr/bin/rsync', SFTP_SERVER];
const missing = dockerMissing() ?? PROGRAMS.find((path) => !existsSync(path)) ?? null;
if (missing && process.env.CI) throw new Error(`${missing} is missing; on CI it is tested`);
if (missing) console.warn(`File transfers by programs are NOT tested: ${missing} is missing`);

const sum = (data: Buffer) => createHash('sha256').update(data).digest('hex');

describe.skipIf(missing !== null).each([
  { job: 'a container that has scp, rsync and sftp-server', kind: 'docker', server: true },
  { job: 'a process job on a machine without sftp-server', kind: 'process', server: false },
  { job: 'a job with a user of its own on such a machine', kind: 'confined', server: false },
] as const)('files of $job', ({ kind, server }) => {
  let jobs: SshJobs;
  let client: SshClient;
  const content = randomBytes(5_000_001);
  const here = (name: string) => join(client.dir, name);
  const scp = (args: readonly string[]) =>
    client.run('scp', [...client.options(), '-q', '-r', ...args]);

  beforeAll(async () => {
    const hide = `mount -t tmpfs none ${dirname(SFTP_SERVER)}; exec "$@"`;
    jobs = await SshJobs.start({
      kind,
      prepare: (engine) => engine.programs('tools:test', PROGRAMS),
      around: server ? [] : ['unshare', '--mount', 'sh', '-c', hide, 'hidden'],
    });
    client = jobs.client;
    const place = kind === 'process' ? here('place') : '/tmp/place';
    await jobs.begin({ image_name: 'tools:test', working_dir: place });
    mkdirSync(here('tree/sub'), { recursive: true });
    writeFileSync(here('tree/sub/file'), content);
    writeFileSync(here('tree/a name'), 'spaced');
  });
  afterAll(() => jobs?.close());

  function expectCopy(name: string): void {
    expect(sum(readFileSync(here(`${name}/sub/file`)))).toBe(sum(content));
    expect(readFileSync(here(`${name}/a name`), 'utf8')).toBe('spaced');
  }

  it('have or have not the program that serves sftp', async () => {
    const { stdout } = await client.ssh([`ls ${SFTP_SERVER} 2> /dev/null`]);
    expect(stdout.trim()).toBe(server ? SFTP_SERVER : '');
  });

  it.each([
    ['newer', []],
    ['older', ['-O']],
  ])('are copied both ways by the %s protocol of scp', async (name, options) => {
    const up = await scp([...options, here('tree'), `root@job:${name}`]);
    expect(up).toMatchObject({ code: 0, stderr: '' });
    expect(await scp([...options, `root@job:${name}`, here(name)])).toMatchObject({ code: 0 });
    expectCopy(name);
  });

  it('are synchronised both ways by rsync, removals included', async () => {
    const shell = ['ssh', ...client.options()].join(' ');
    const sync = (from: string, to: string) =>
      client.run('rsync', ['-a', '--delete', '-e', shell, from, to]);
    await client.ssh(['mkdir -p synced; echo old > synced/stale']);
    expect(await sync(`${here('tree')}/`, 'root@job:synced/')).toMatchObject({ code: 0 });
    expect(await sync('root@job:synced/', here('back'))).toMatchObject({ code: 0 });
    expectCopy('back');
    expect(existsSync(here('back/stale'))).toBe(false);
  });
});
