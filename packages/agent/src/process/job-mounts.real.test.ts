import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';
import { canIsolate, IsolatedJobs } from '../testing/isolated-jobs.ts';

describe.skipIf(!canIsolate)('directories of the machine in a process job', () => {
  let jobs: IsolatedJobs;
  let data: string;
  beforeEach(async () => {
    jobs = await IsolatedJobs.start();
    data = mkdtempSync('/var/lib/dstack-test-data-');
    writeFileSync(join(data, 'file'), 'of the machine');
    chmodSync(data, 0o777);
  });
  afterEach(async () => {
    await jobs.close();
    rmSync(data, { recursive: true });
  });
  const mount = (source: string, target: string, more = {}) => {
    return { source, target, read_only: false, optional: false, volume: null, ...more };
  };

  it('are at its own paths, where no other process sees them', async () => {
    const targets = ['/mnt', '/tmp/in/side', `${data}/again`];
    mkdirSync(join(data, 'again'));
    const { text, state } = await jobs.run(
      [...targets.map((target) => `cat ${target}/file; echo`), 'echo new > /mnt/new'],
      { mounts: targets.map((target) => mount(data, target)) },
    );
    expect(text).toBe('of the machine\n'.repeat(3));
    expect(state.exit).toMatchObject({ status: 0 });
    expect(readFileSync(join(data, 'new'), 'utf8')).toBe('new\n');
    expect(existsSync('/mnt/file')).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(data);
  });

  it('are mounted in its own folders, which keep their owner', async () => {
    const id = crypto.randomUUID();
    const area = join(jobs.homes, id.replaceAll('-', '').slice(0, 12));
    const { text } = await jobs.run(['cat deep/er/file; echo; stat -c %u deep'], {
      id,
      mounts: [mount(data, join(area, 'work/deep/er'))],
    });
    expect(text).toBe(`of the machine\n${jobs.first}\n`);
    expect((await jobs.agent.call('DELETE', `/v1/jobs/${id}`)).status).toBe(204);
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('of the machine');
    expect(existsSync(area)).toBe(false);
  });

  it('are not written to if they are read-only', async () => {
    const { text } = await jobs.run(['echo x > /mnt/file || cat /mnt/file'], {
      mounts: [mount(data, '/mnt', { read_only: true })],
    });
    expect(text).toMatch(/Read-only file system\nof the machine/);
  });

  it('may be files', async () => {
    const { text } = await jobs.run(['cat /mnt-file-of-a-test'], {
      mounts: [mount(join(data, 'file'), '/mnt-file-of-a-test')],
    });
    rmSync('/mnt-file-of-a-test', { force: true });
    expect(text).toBe('of the machine');
  });

  it('are skipped if they are optional and missing, and the output reports it', async () => {
    const { text } = await jobs.run(['echo ran'], {
      mounts: [mount(join(data, 'none'), '/mnt', { optional: true })],
      notices: ['printed by the server'],
    });
    expect(text).toMatch(
      /^\[dstack: printed by the server\]\n\[dstack: the optional volume .*\]\nran/,
    );
  });

  it.each(['/', '/usr', '/usr/bin', '/etc/sudoers.d', '/proc/1', '/dev/shm/x'])(
    'are not mounted at %s, where programs of the machine look',
    async (target) => {
      const { state, text } = await jobs.run(['echo ran'], { mounts: [mount(data, target)] });
      expect(text).toBe('');
      expect(state.exit).toMatchObject({ status: null, reason: 'executor_error' });
      expect(state.exit?.message).toContain(`nothing can be mounted at ${target}`);
    },
  );

  it('are not those of the agent, nor of other jobs', async () => {
    for (const source of [jobs.agent.state, jobs.base, join(jobs.homes, 'x')]) {
      const { state } = await jobs.run(['echo ran'], { mounts: [mount(source, '/mnt')] });
      expect(state.exit?.message).toContain('cannot be mounted into a job');
    }
  });

  it('keep it from starting when a mount fails', async () => {
    const { state, text } = await jobs.run(['echo ran'], {
      mounts: [mount(data, join(data, 'file'))],
    });
    expect(text).toBe('');
    expect(state.exit).toMatchObject({ status: null, reason: 'executor_error' });
    expect(state.exit?.message).toMatch(/mount|director/i);
  });

  it('are refused by an agent without root, which could not mount them', async () => {
    const around = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    const agent = new AgentHarness(['--executor', 'process'], {}, undefined, around);
    spawnSync('chown', ['-R', '65534:65534', agent.dir]);
    await agent.start();
    const stream = await agent.connect();
    const spec = jobSpec(['echo ran'], {
      mounts: [
        { source: '/var/tmp', target: '/mnt', read_only: false, optional: false, volume: null },
      ],
    });
    await agent.put(spec);
    const { state, text } = await stream.whole(spec.id);
    await stream.close();
    await agent.dispose();
    expect(text).toBe('');
    expect(state.exit?.message).toMatch(/no right to make mounts; it needs root/);
  });
});
