import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec } from '../../testing/agent-harness.ts';
import { SshClient } from '../../testing/ssh-client.ts';
import type { TestStream } from '../../testing/test-stream.ts';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';
const PROGRAMS = ['/usr/bin/scp', '/usr/bin/rsync', SFTP_SERVER];
const missing = dockerMissing() ?? PROGRAMS.find((path) => !existsSync(path)) ?? null;
if (missing && process.env.CI) throw new Error(`${missing} is missing; on CI it is tested`);
if (missing) console.warn(`File transfers by programs are NOT tested: ${missing} is missing`);

const sum = (data: Buffer) => createHash('sha256').update(data).digest('hex');

describe.skipIf(missing !== null).each([
  { job: 'a container that has scp, rsync and sftp-server', kind: 'docker', server: true },
  { job: 'a process job on a machine without sftp-server', kind: 'process', server: false },
] as const)('files of $job', ({ kind, server }) => {
  let engine: TestDocker | null = null;
  let agent: AgentHarness;
  let stream: TestStream;
  let client: SshClient;
  const content = randomBytes(5_000_001);
  const here = (name: string) => join(client.dir, name);
  const scp = (args: readonly string[]) =>
    client.run('scp', [...client.options(), '-q', '-r', ...args]);

  beforeAll(async () => {
    client = new SshClient();
    if (kind === 'docker') {
      engine = await startDocker();
      await engine.programs('tools:test', PROGRAMS);
    }
    const hide = `mount -t tmpfs none ${dirname(SFTP_SERVER)}; exec "$@"`;
    const around = server ? [] : ['unshare', '--mount', 'sh', '-c', hide, 'hidden'];
    const env = engine ? { DOCKER_HOST: engine.host } : {};
    agent = new AgentHarness(['--executor', kind], env, undefined, around);
    await agent.start();
    stream = await agent.connect();
    const command = engine
      ? { shell_commands: null, commands: ['/bin/sh', '-c', 'sleep 100000'] }
      : { shell_commands: ['sleep 100000'] };
    const place = engine ? '/tmp/place' : here('place');
    const where = { image_name: 'tools:test', authorized_keys: client.keys, working_dir: place };
    const spec = jobSpec([], { ...where, ...command });
    await agent.put(spec);
    const running = () => {
      const last = stream.state(spec.id);
      return last?.phase === 'running' ? last : null;
    };
    client.port = (await stream.until(running)).ssh_port ?? 0;
    mkdirSync(here('tree/sub'), { recursive: true });
    writeFileSync(here('tree/sub/file'), content);
    writeFileSync(here('tree/a name'), 'spaced');
  });
  afterAll(async () => {
    await stream?.close();
    await agent?.dispose();
    await engine?.close();
    client.close();
  });

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

  it('are synchronised both ways by rsync, what is gone with them', async () => {
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
